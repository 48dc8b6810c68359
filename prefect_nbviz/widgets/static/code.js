// The forms of a query as code. All of it is set as text, and none is read as HTML.
const SAID = 2_000; // milliseconds that a button says what it did

function element(name, className, text = "") {
  return Object.assign(document.createElement(name), { className, textContent: text });
}

// Pages that are neither local nor encrypted have no clipboard: there the older way is tried.
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const field = Object.assign(element("textarea", ""), { value: text, readOnly: true });
    field.style.cssText = "position: fixed; opacity: 0";
    document.body.append(field);
    field.select();
    const isDone = document.execCommand("copy");
    field.remove();
    return isDone;
  }
}

// The notebook that the widget is in, where the page lets its widgets reach it: JupyterLab and Notebook 7 do.
function notebookOf(model) {
  const cells = model.widget_manager?.context?.model?.sharedModel;
  return typeof cells?.insertCell === "function" ? cells : null;
}

function insertBelow(cells, el, source) {
  const place = Number.parseInt(el.closest(".jp-Cell")?.dataset.windowedListIndex, 10);
  const after = Number.isInteger(place) ? place + 1 : cells.cells.length;
  cells.insertCell(after, { cell_type: "code", source, metadata: {}, outputs: [] });
}

function select(node) {
  const range = document.createRange();
  range.selectNodeContents(node);
  const selection = getSelection();
  selection.removeAllRanges();
  selection.addRange(range);
}

function render({ model, el }) {
  el.classList.add("nbviz-code");
  const bar = element("div", "nbviz-code-bar");
  const forms = element("div", "nbviz-code-forms");
  forms.setAttribute("role", "group");
  forms.setAttribute("aria-label", "Form of the code");
  const about = element("div", "nbviz-quiet");
  const text = element("pre", "nbviz-code-text");
  text.tabIndex = 0;
  text.setAttribute("aria-label", "Code");
  const said = element("span", "nbviz-quiet");
  said.setAttribute("role", "status");
  const button = (label) => Object.assign(element("button", "nbviz-code-button", label), { type: "button" });
  const copies = button("Copy");
  const inserts = button("Put in a new cell");
  bar.append(forms, said, inserts, copies);
  el.append(bar, about, text);

  const cells = notebookOf(model);
  const chosen = () => model.get("codes").find(({ name }) => name === model.get("chosen")) ?? model.get("codes")[0];
  let timer;
  const say = (sentence) => {
    said.textContent = sentence;
    clearTimeout(timer);
    timer = setTimeout(() => said.replaceChildren(), SAID);
  };
  const choose = (name) => {
    model.set("chosen", name);
    model.save_changes();
  };
  copies.addEventListener("click", async () => {
    if (await copy(chosen().text)) return say("Copied");
    select(text);
    say("Press Ctrl+C to copy");
  });
  inserts.addEventListener("click", () => {
    insertBelow(cells, el, chosen().text);
    say("It is in the cell below");
  });
  const draw = () => {
    const form = chosen();
    if (!form) return;
    const focused = document.activeElement?.dataset?.name;
    const toggles = model.get("codes").map(({ name }) => {
      const toggle = button(name);
      toggle.dataset.name = name;
      toggle.setAttribute("aria-pressed", String(name === form.name));
      toggle.addEventListener("click", () => choose(name));
      return toggle;
    });
    forms.replaceChildren(...toggles);
    toggles.find(({ dataset }) => dataset.name === focused)?.focus();
    about.textContent = form.about;
    text.textContent = form.text;
    inserts.hidden = !(cells && form.is_python);
  };
  model.on("change:codes", draw);
  model.on("change:chosen", draw);
  draw();
  return () => {
    clearTimeout(timer);
    model.off("change:codes", draw);
    model.off("change:chosen", draw);
  };
}

export default { render };
