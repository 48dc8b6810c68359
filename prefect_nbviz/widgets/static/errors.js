// A list of messages, each a button that picks its runs. All of it is set as text, and none is read as HTML.
function element(name, className, text = "") {
  return Object.assign(document.createElement(name), { className, textContent: text });
}

function row({ runs, pattern, message, states, where, seen }) {
  const button = Object.assign(element("button", "nbviz-message"), { type: "button", title: message });
  const what = element("span", "nbviz-message-what");
  const about = element("span", "nbviz-message-about");
  for (const [name, kind] of states) about.append(element("span", `nbviz-state nbviz-is-${kind}`, name));
  for (const text of [where, seen]) if (text) about.append(element("span", "", text));
  what.append(element("span", "nbviz-message-pattern", pattern), about);
  button.append(element("span", "nbviz-message-runs", runs), what);
  return button;
}

function render({ model, el }) {
  el.classList.add("nbviz-errors");
  const said = element("div", "nbviz-errors-said");
  said.setAttribute("role", "status");
  const list = element("div", "nbviz-errors-list");
  list.setAttribute("role", "group");
  list.setAttribute("aria-label", "Messages of failed runs");
  el.append(said, list);
  let count = model.get("picked").count ?? 0;
  let shown;

  const pick = (groups, event) => {
    const isMore = Boolean(event?.shiftKey || event?.ctrlKey || event?.metaKey);
    count += 1;
    model.set("picked", { list: shown, count, groups, is_more: isMore });
    model.save_changes();
  };
  const mark = () => {
    const marked = new Set(model.get("marked"));
    list.classList.toggle("nbviz-has-marks", marked.size > 0);
    [...list.children].forEach((button, place) => button.setAttribute("aria-pressed", String(marked.has(place))));
  };
  const draw = () => {
    const focused = [...list.children].indexOf(document.activeElement);
    const { scrollTop } = list;
    shown = model.get("number");
    said.textContent = model.get("said");
    list.replaceChildren(
      ...model.get("groups").map((group, place) => {
        const button = row(group);
        button.addEventListener("click", (event) => {
          const isAlone = model.get("marked").length === 1 && model.get("marked")[0] === place;
          pick(isAlone && !event.shiftKey ? [] : [place], event);
        });
        return button;
      }),
    );
    list.scrollTop = scrollTop;
    list.children[focused]?.focus({ preventScroll: true });
    mark();
  };
  el.addEventListener("keydown", ({ key }) => key === "Escape" && pick([]));
  model.on("change:number", draw);
  model.on("change:marked", mark);
  draw();
  return () => {
    model.off("change:number", draw);
    model.off("change:marked", mark);
  };
}

export default { render };
