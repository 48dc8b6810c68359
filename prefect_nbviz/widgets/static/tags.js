// A labelled field of texts: picked from a list, or typed (Enter or leaving the field adds); × or Backspace removes.
function render({ model, el }) {
  const id = `nbviz-tags-${Math.random().toString(36).slice(2)}`;
  el.classList.add("nbviz-field");
  const label = make("label", "nbviz-label", { htmlFor: id });
  const box = make("div", "nbviz-tags");
  const input = make("input", "", { id, type: "text", autocomplete: "off", spellcheck: false });
  const panel = make("div", "");
  el.append(label, box, panel);
  box.addEventListener("click", (event) => event.target === box && input.focus());

  const set = (value) => {
    model.set("value", [...new Set(value)]);
    model.save_changes();
  };
  const add = (texts) => {
    const found = texts.map((text) => text.trim()).filter(Boolean);
    input.value = "";
    if (found.length) set([...model.get("value"), ...found]);
    draw();
  };
  const drop = (text) => set(model.get("value").filter((one) => one !== text));

  const groups = () => {
    const chosen = new Set(model.get("value"));
    const counts = model.get("counts");
    const options = model.get("suggestions").map((text) => ({
      key: text,
      text,
      detail: counts[text] === undefined ? "" : counts[text].toLocaleString("en"),
      isFaint: counts[text] === 0,
      isChosen: chosen.has(text),
    }));
    return [{ title: "", options }];
  };
  const pick = (text) => (model.get("value").includes(text) ? drop(text) : add([text]));
  const list = listbox({ input, name: model.get("label"), groups, pick });
  const note = attributes(make("span", "nbviz-foot-note"), { role: "status" });
  const again = make("button", "nbviz-quiet", { type: "button", textContent: "↻", title: "Ask the server again" });
  again.setAttribute("aria-label", "Ask the server again");
  again.addEventListener("click", () => model.send({ do: "ask" }));
  const foot = make("div", "nbviz-foot", {}, note, again);
  panel.append(list.element, foot);
  panel.addEventListener("mousedown", (event) => event.preventDefault()); // the input keeps the focus
  const layer = popup(box, panel, { fills: true, closed: () => input.setAttribute("aria-expanded", "false") });

  const open = () => {
    drawList();
    if (!list.count() && foot.hidden) return layer.close();
    layer.open();
    input.setAttribute("aria-expanded", "true");
  };
  const drawList = () => {
    const isWaiting = model.get("can_ask") && !model.get("suggestions").length;
    note.textContent = model.get("note") || (isWaiting ? "Asking the server…" : "");
    input.title = model.get("note");
    again.hidden = !model.get("can_ask");
    foot.hidden = again.hidden && !note.textContent;
    list.draw();
    if (layer.isOpen()) layer.place();
  };
  const chip = (text) => {
    const remove = make("button", "nbviz-remove", { type: "button", textContent: "×" });
    remove.setAttribute("aria-label", `Remove ${text} from ${model.get("label")}`);
    remove.addEventListener("click", () => {
      drop(text);
      input.focus();
    });
    return make("span", "nbviz-tag", {}, make("span", "nbviz-tag-text", { textContent: text, title: text }), remove);
  };
  const draw = () => {
    label.textContent = model.get("label");
    const value = model.get("value");
    input.placeholder = value.length ? "" : model.get("placeholder");
    box.querySelectorAll(".nbviz-tag").forEach((one) => one.remove());
    if (!input.isConnected) box.append(input);
    input.before(...value.map(chip));
    drawList();
  };

  input.addEventListener("focus", open);
  input.addEventListener("click", open);
  input.addEventListener("input", () => {
    list.forget();
    open();
  });
  input.addEventListener("blur", () => layer.close());
  input.addEventListener("change", () => add([input.value]));
  input.addEventListener("keydown", (event) => {
    if (["ArrowDown", "ArrowUp"].includes(event.key)) open();
    if (list.key(event)) return;
    if (event.key === "Backspace" && !input.value) set(model.get("value").slice(0, -1));
    if (event.key === "Enter") add([input.value]);
    if (event.key === "Escape" && layer.isOpen()) {
      event.stopPropagation();
      layer.close();
    }
  });
  input.addEventListener("paste", (event) => {
    const text = event.clipboardData.getData("text");
    if (!text.trim().includes("\n")) return;
    event.preventDefault();
    add(text.split("\n"));
  });
  model.on("change:value change:label", draw);
  model.on("change:suggestions change:counts change:note change:can_ask", drawList);
  draw();
  return () => layer.close();
}

export default { render };
