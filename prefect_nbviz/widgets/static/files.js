// Gives the browser a file to keep; nothing leaves the page.
function keep(name, content) {
  const href = URL.createObjectURL(new Blob([content]));
  Object.assign(document.createElement("a"), { href, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(href), 20_000);
}
