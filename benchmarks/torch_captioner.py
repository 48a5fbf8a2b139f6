"""The baseline of `captioner.py`: a plain PyTorch decoder with one soft attention.

It is built as tutorials build Show, Attend and Tell (https://arxiv.org/abs/1502.03044):
an `LSTMCell` steered by an additive attention that is computed at each time step;
every caption a row of its own with a copy of its image's regions; beam search for one
image at a time in Python. Also at each time step the regions are projected to keys;
`--torch_keys=once` takes that out of the loop, as a careful author would.
"""

import time

import numpy as np
import torch
from torch import nn

END = 2


class Attention(nn.Module):
    """Additive attention of one query a row over regions `[N, R, D]`."""

    def __init__(self, channels, units, attention_units):
        super().__init__()
        self.of_regions = nn.Linear(channels, attention_units)
        self.of_query = nn.Linear(units, attention_units)
        self.score = nn.Linear(attention_units, 1)

    def forward(self, regions, query, keys=None):
        keys = self.of_regions(regions) if keys is None else keys
        joint = keys + self.of_query(query).unsqueeze(1)
        weights = torch.softmax(self.score(torch.tanh(joint)).squeeze(2), dim=1)
        return (regions * weights.unsqueeze(2)).sum(dim=1), weights


class Decoder(nn.Module):
    """Words `[N, T]` and regions `[N, R, D]` to logits, one word at a time."""

    def __init__(
        self, vocabulary, channels, units, attention_units, keys_once, dropout=0.5
    ):
        super().__init__()
        self.keys_once = keys_once
        self.embedding = nn.Embedding(vocabulary, units)
        self.attention = Attention(channels, units, attention_units)
        self.initial_hidden = nn.Linear(channels, units)
        self.initial_memory = nn.Linear(channels, units)
        self.gate = nn.Linear(units, channels)
        self.cell = nn.LSTMCell(units + channels, units)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(units, vocabulary)

    def start(self, regions):
        mean = regions.mean(dim=1)
        return self.initial_hidden(mean), self.initial_memory(mean)

    def keys(self, regions):
        """Keys for all steps, or None if every step makes its own."""
        return self.attention.of_regions(regions) if self.keys_once else None

    def step(self, words, regions, hidden, memory, keys=None):
        """Logits `[N, V]`, the new state and the attention weights `[N, R]`."""
        context, weights = self.attention(regions, hidden, keys)
        context = torch.sigmoid(self.gate(hidden)) * context
        inputs = torch.cat([self.embedding(words), context], dim=1)
        hidden, memory = self.cell(inputs, (hidden, memory))
        return self.output(self.dropout(hidden)), hidden, memory, weights

    def forward(self, regions, words, lengths):
        """Logits `[N, T, V]` and attention weights `[N, T, R]`.

        Args:
            regions: `[N, R, D]`.
            words: integers `[N, T]`.
            lengths: N lengths that do not increase: rows that are over are left out.
        """
        hidden, memory = self.start(regions)
        keys = self.keys(regions)
        rows, steps = words.shape
        logits = regions.new_zeros(rows, steps, self.output.out_features)
        weights = regions.new_zeros(rows, steps, regions.shape[1])
        for t in range(steps):
            rows = int((lengths > t).sum())
            each, hidden, memory, here = self.step(
                words[:rows, t],
                regions[:rows],
                hidden[:rows],
                memory[:rows],
                None if keys is None else keys[:rows],
            )
            logits[:rows, t], weights[:rows, t] = each, here
        return logits, weights

    def search(self, regions, start, beams, most):
        """The best caption of one image `[R, D]`: a list of ids without `start`."""
        keys = self.keys(regions)  # the same for all beams
        regions = regions.expand(beams, *regions.shape)
        words = torch.full((beams, 1), start)
        scores = torch.zeros(beams, 1)
        complete = []
        hidden, memory = self.start(regions)
        for t in range(most):
            logits, hidden, memory, _ = self.step(
                words[:, -1], regions, hidden, memory, keys
            )
            totals = scores + torch.log_softmax(logits.float(), dim=1)
            # At first all rows are the same.
            totals = totals[0] if t == 0 else totals.flatten()
            best, places = totals.topk(beams)
            parents, next_words = places // logits.shape[1], places % logits.shape[1]
            words = torch.cat([words[parents], next_words.unsqueeze(1)], dim=1)
            ended = (next_words == END).tolist()
            for row in np.flatnonzero(ended):
                complete.append((float(best[row]), words[row, 1:].tolist()))
            still = [row for row, end in enumerate(ended) if not end]
            beams = len(still)
            if not beams:
                break
            words, scores = words[still], best[still].unsqueeze(1)
            regions = regions[parents[still]]
            hidden, memory = hidden[parents[still]], memory[parents[still]]
        if not complete:
            return words[int(scores.argmax()), 1:].tolist()
        return max(complete)[1]


class TorchCaptioner:
    """The decoder with its training: AdamW, clipped gradients, even attention.

    Args:
        settings: The flags of `captioner.py`.
        features: float16 `[N, h, w, D]`, held as float32.
        tokens: int32 `[N, C, T]`, captions with `<start>` (1), `<end>` (2), 0 behind.
    """

    def __init__(self, settings, features, tokens):
        torch.set_num_threads(settings.threads)
        torch.manual_seed(0)
        self.settings = settings
        channels = features.shape[-1]
        regions = features.reshape(len(features), -1, channels)
        self.regions = torch.tensor(regions, dtype=torch.float32)
        self.images = torch.arange(len(tokens)).repeat_interleave(tokens.shape[1])
        self.tokens = torch.tensor(tokens, dtype=torch.int64).flatten(0, 1)
        self.decoder = Decoder(
            settings.vocabulary,
            channels,
            settings.units,
            settings.torch_attention,
            settings.torch_keys == "once",
        )
        self.optimizer = torch.optim.AdamW(self.decoder.parameters(), 1e-3)

    def train(self):
        """Seconds of one pass over all captions."""
        self.decoder.train()
        start = time.perf_counter()
        for rows in torch.randperm(len(self.tokens)).split(self.settings.torch_batch):
            self.loss = float(self._train_step(rows))
        return time.perf_counter() - start

    def decode(self):
        """Seconds to caption all images; every caption has the words asked for."""
        with torch.no_grad():
            self.decoder.output.bias[END] = -1e9
        self.decoder.eval()
        words, captions = self.settings.words, []
        start = time.perf_counter()
        with torch.inference_mode(), self._precision():
            for regions in self.regions:
                captions.append(
                    self.decoder.search(regions, 1, self.settings.beams, words)
                )
        seconds = time.perf_counter() - start
        if any(len(caption) != words or END in caption for caption in captions):
            raise RuntimeError(f"Captions that do not have {words} words.")
        return seconds

    def _train_step(self, rows):
        tokens = self.tokens[rows]
        lengths, order = (tokens != 0).sum(dim=1).sub(1).sort(descending=True)
        tokens, rows = tokens[order, : int(lengths[0]) + 1], rows[order]
        with self._precision():
            logits, weights = self.decoder(
                self.regions[self.images[rows]], tokens[:, :-1], lengths
            )
            targets = tokens[:, 1:]
            real = targets != 0
            loss = nn.functional.cross_entropy(logits[real].float(), targets[real])
            loss = loss + ((1 - weights.sum(dim=1)) ** 2).mean()
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.decoder.parameters(), 5.0)
        self.optimizer.step()
        return loss.detach()

    def _precision(self):
        reduced = self.settings.torch_precision == "bfloat16"
        return torch.autocast("cpu", torch.bfloat16, enabled=reduced)
