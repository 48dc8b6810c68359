// A labelled field of free texts: Enter or leaving the field adds what was typed, × or Backspace removes.
function make(tag, className, properties = {}) {
  return Object.assign(document.createElement(tag), { className, ...properties });
}

function render({ model, el }) {
  const id = `nbviz-tags-${Math.random().toString(36).slice(2)}`;
  el.classList.add("nbviz-field");
  const label = make("label", "nbviz-label", { htmlFor: id });
  const box = make("div", "nbviz-tags");
  const input = make("input", "", { id, type: "text", autocomplete: "off" });
  const suggestions = make("datalist", "", { id: `${id}-list` });
  input.setAttribute("list", suggestions.id);
  el.append(label, box, suggestions);
  box.addEventListener("click", (event) => event.target === box && input.focus());

  const set = (value) => {
    model.set("value", [...new Set(value)]);
    model.save_changes();
  };
  const add = (texts) => {
    const found = texts.map((text) => text.trim()).filter(Boolean);
    input.value = "";
    if (found.length) set([...model.get("value"), ...found]);
  };
  const chip = (text) => {
    const chipElement = make("span", "nbviz-tag");
    const remove = make("button", "nbviz-remove", { type: "button", textContent: "×" });
    remove.setAttribute("aria-label", `Remove ${text} from ${model.get("label")}`);
    remove.addEventListener("click", () => {
      set(model.get("value").filter((one) => one !== text));
      input.focus();
    });
    chipElement.append(make("span", "nbviz-tag-text", { textContent: text, title: text }), remove);
    return chipElement;
  };
  const draw = () => {
    label.textContent = model.get("label");
    const value = model.get("value");
    input.placeholder = value.length ? "" : model.get("placeholder");
    box.querySelectorAll(".nbviz-tag").forEach((one) => one.remove());
    if (!input.isConnected) box.append(input);
    input.before(...value.map(chip));
  };
  const offer = () => {
    suggestions.replaceChildren(...model.get("suggestions").map((value) => make("option", "", { value })));
  };

  input.addEventListener("change", () => add([input.value]));
  input.addEventListener("input", (event) => {
    const isPicked = event.inputType === undefined || event.inputType === "insertReplacementText";
    if (isPicked && model.get("suggestions").includes(input.value)) add([input.value]);
  });
  input.addEventListener("keydown", (event) => {
    if (event.key === "Backspace" && !input.value) set(model.get("value").slice(0, -1));
    if (event.key === "Enter") add([input.value]);
  });
  input.addEventListener("paste", (event) => {
    const text = event.clipboardData.getData("text");
    if (!text.trim().includes("\n")) return;
    event.preventDefault();
    add(text.split("\n"));
  });
  model.on("change:value change:label", draw);
  model.on("change:suggestions", offer);
  draw();
  offer();
}

export default { render };
