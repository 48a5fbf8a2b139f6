"""The page on which an image is dropped to be described."""

# Nothing comes from elsewhere, and what a model says is shown as text.
PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>annotator</title>
<style>
  body { font: 1.1em/1.5 sans-serif; max-width: 40em; margin: 2em auto; padding: 0 1em }
  label { display: block; border: 2px dashed #888; border-radius: 1em; padding: 3em 1em;
          text-align: center; cursor: pointer }
  label.over { border-color: #36c; background: #36c2 }
  input[type=file] { display: block; margin: 1em auto 0 }
  img { max-width: 100%; margin-top: 1em; border-radius: .5em }
  #said { white-space: pre-wrap }
</style>
<label id="drop">Drop an image here, or choose one.
  <input type="file" id="file" accept="image/*"></label>
<div id="shown"></div>
<p id="said" role="status" aria-live="polite"></p>
<script nonce="NONCE">
const said = document.getElementById("said"), drop = document.getElementById("drop");
let token = "";
async function describe(file) {
  const image = new Image();
  image.alt = "";
  image.src = URL.createObjectURL(file);
  document.getElementById("shown").replaceChildren(image);
  said.textContent = "...";
  const headers = {"Content-Type": "application/octet-stream"};
  if (token) headers["Authorization"] = "Bearer " + token;
  try {
    const answer = await fetch("/", {method: "POST", headers, body: file});
    if (answer.status == 401 && (token = prompt("The server's token:")))
      return describe(file);
    const body = await answer.json();
    if (body.error) { said.textContent = body.error; return }
    const lines = [];
    for (const [model, {captions, tags}] of Object.entries(body.predictions[0])) {
      if (captions) lines.push([].concat(captions)[0]);
      if (tags) lines.push(tags.filter(Boolean).join(", "));
    }
    said.textContent = lines.join("\\n");
  } catch (error) { said.textContent = "The server cannot be reached." }
}
document.getElementById("file").onchange = event => describe(event.target.files[0]);
for (const name of ["dragenter", "dragover", "dragleave", "drop"])
  drop.addEventListener(name, event => {
    event.preventDefault();
    drop.classList.toggle("over", name == "dragenter" || name == "dragover");
    if (name == "drop" && event.dataTransfer.files[0])
      describe(event.dataTransfer.files[0]);
  });
</script>
</html>
"""
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'nonce-{nonce}'; "
    "connect-src 'self'; img-src blob:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
