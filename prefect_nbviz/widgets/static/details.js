// The panel of one run. Python makes each part as HTML; a part is put in place only when it has changed, so that
// what a person scrolled, focused or selected elsewhere stays.
const PARTS = ["head", "note", "history", "related", "logs", "facts"];
const COPIED = 1200; // milliseconds

// Keeps the focus on what does the same, and the log at its end if that was in view.
function put(part, html) {
  const active = part.contains(document.activeElement) ? document.activeElement.dataset : null;
  const before = part.querySelector(".nbviz-log");
  const top = before?.scrollTop ?? 0;
  const wasAtEnd = !before || before.scrollHeight - top - before.clientHeight < 4;
  part.innerHTML = html;
  const log = part.querySelector(".nbviz-log");
  if (log) log.scrollTop = wasAtEnd ? log.scrollHeight : top;
  if (!active) return;
  const all = [...part.querySelectorAll("button, a")];
  const same = all.find((one) => ["do", "copy", "key"].some((word) => active[word] && active[word] === one.dataset[word]));
  (same ?? all[0])?.focus({ preventScroll: true });
}

async function copy(button) {
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
  } catch {
    // Pages that are not served over HTTPS have no clipboard: what is selected can be copied by hand.
    getSelection().selectAllChildren(button.nextElementSibling);
    return;
  }
  button.textContent = "Copied";
  setTimeout(() => {
    button.textContent = "Copy";
  }, COPIED);
}

function render({ model, el }) {
  const parts = PARTS.map((name) => {
    const part = document.createElement("section");
    part.className = `nbviz-run-${name}`;
    if (name === "note") part.setAttribute("role", "status");
    el.append(part);
    const draw = () => put(part, model.get(name));
    model.on(`change:${name}`, draw);
    draw();
    return [name, draw];
  });
  const press = (event) => {
    const button = event.target.closest("button");
    if (button?.dataset.copy) copy(button);
    else if (button?.dataset.do) model.send({ do: button.dataset.do });
  };
  el.addEventListener("click", press);
  return () => {
    for (const [name, draw] of parts) model.off(`change:${name}`, draw);
  };
}

export default { render };
