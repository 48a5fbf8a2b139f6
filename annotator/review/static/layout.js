// Rows of photographs in their own proportions, each as wide as the gallery.

const GAP = 6;
const GROUP_GAP = 28;
const NARROWEST = 0.4; // of width to height
const WIDEST = 4;

// Returns { rows, boxes, height }: of each row its `top`, `height`, `first` and `end`; of
// each photograph its `left` and `width`. `groups` are sizes of groups, which begin rows.
export function justify(shapes, width, rowHeight, groups = null) {
  const rows = [];
  const lefts = new Float32Array(shapes.length);
  const widths = new Float32Array(shapes.length);
  let top = 0;
  let first = 0;

  const close = (end, sum, full) => {
    const free = width - GAP * (end - first - 1);
    const height = full ? free / sum : Math.min(rowHeight, free / sum);
    let left = 0;
    for (let index = first; index < end; index++) {
      lefts[index] = left;
      widths[index] = shape(shapes[index]) * height;
      left += widths[index] + GAP;
    }
    rows.push({ top, height, first, end });
    top += height + GAP;
    first = end;
  };

  const fill = (end) => {
    let sum = 0;
    for (let index = first; index < end; index++) {
      sum += shape(shapes[index]);
      const free = width - GAP * (index - first);
      if (free / sum <= rowHeight) {
        close(index + 1, sum, true);
        sum = 0;
      }
    }
    if (first < end) close(end, sum, false);
  };

  if (groups) {
    let end = 0;
    for (const size of groups) {
      end += size;
      fill(end);
      top += GROUP_GAP;
    }
  } else {
    fill(shapes.length);
  }
  return { rows, lefts, widths, height: Math.max(0, top - GAP) };
}

// The rows that are between two heights: [first, end).
export function visibleRows(rows, from, to) {
  let low = 0;
  let high = rows.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (rows[middle].top + rows[middle].height < from) low = middle + 1;
    else high = middle;
  }
  let end = low;
  while (end < rows.length && rows[end].top <= to) end++;
  return [low, end];
}

const shape = (value) => Math.min(WIDEST, Math.max(NARROWEST, value));
