// Copies the single file of a chapter. The link beside it downloads it, also without this script. Where pages are
// read from a folder, scripts may not read files, and nothing can be copied.
const SAID_FOR = 2000;

async function read(address) {
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(answer.status);
  return new Blob([await answer.text()], { type: "text/plain" });
}

function say(button, text) {
  button.textContent = text;
  setTimeout(() => (button.textContent = "copy"), SAID_FOR);
}

for (const link of document.querySelectorAll("a.single-file")) {
  if (location.protocol === "file:" || !navigator.clipboard?.write) continue;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "single-file";
  button.textContent = "copy";
  button.title = `Copy all of ${link.textContent}`;
  button.ariaLive = "polite";
  button.addEventListener("click", () => {
    // The promise goes into the clipboard, so that it is still the click that writes when the file is there.
    const item = new ClipboardItem({ "text/plain": read(link.href) });
    navigator.clipboard.write([item]).then(
      () => say(button, "copied"),
      () => say(button, "not copied"),
    );
  });
  link.after(" ", button);
}
