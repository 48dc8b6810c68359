// One toggle for each state type, with its colour and the number of runs in it.
function render({ model, el }) {
  el.classList.add("nbviz-field", "nbviz-states-field");
  const group = Object.assign(document.createElement("div"), { className: "nbviz-states" });
  group.setAttribute("role", "group");
  el.append(group);

  const toggle = (type) => {
    const value = model.get("value");
    model.set("value", value.includes(type) ? value.filter((one) => one !== type) : [...value, type]);
    model.save_changes();
  };
  const chips = model.get("options").map(([type, text]) => {
    const chip = Object.assign(document.createElement("button"), { type: "button", className: "nbviz-state-chip" });
    chip.style.setProperty("--nbviz-state", `var(--nbviz-${type.toLowerCase()})`);
    chip.addEventListener("click", () => toggle(type));
    group.append(chip);
    return { type, text, chip };
  });
  // Arrows move along the toggles, as in any group of buttons.
  group.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const place = chips.findIndex(({ chip }) => chip === document.activeElement);
    if (!step || place < 0) return;
    event.preventDefault();
    chips[(place + step + chips.length) % chips.length].chip.focus();
  });
  const draw = () => {
    group.setAttribute("aria-label", model.get("label"));
    for (const { type, text, chip } of chips) {
      const count = model.get("counts")[type];
      const number = Object.assign(document.createElement("b"), { textContent: count?.toLocaleString("en") ?? "" });
      const isChosen = model.get("value").includes(type);
      chip.replaceChildren(text, ...(count === undefined || count === null ? [] : [" ", number]));
      chip.setAttribute("aria-pressed", String(isChosen));
      chip.title = isChosen ? `Click: no longer only ${text}` : `Click: only ${text}, with others that are chosen`;
      chip.classList.toggle("nbviz-none", count === 0);
    }
  };
  model.on("change:value change:counts", draw);
  draw();
}

export default { render };
