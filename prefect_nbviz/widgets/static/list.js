// What the bar and the fields of texts share: a panel that no cell cuts off, and a list that is chosen from by keyboard.
const MOST_SHOWN = 200;

function make(tag, className, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), { className, ...properties });
  element.append(...children);
  return element;
}

function attributes(element, values) {
  for (const [name, value] of Object.entries(values)) element.setAttribute(name, value);
  return element;
}

// A panel under (or above) its anchor, in the top layer of the page; `closed` is called when it was left.
function popup(anchor, panel, { closed = () => {}, fills = false, tallest = 420 } = {}) {
  let isOpen = false;
  panel.classList.add("nbviz-popup");
  panel.hidden = true;
  if (panel.showPopover) panel.popover = "manual";
  const place = () => {
    const box = anchor.getBoundingClientRect();
    const width = document.documentElement.clientWidth;
    const height = window.innerHeight;
    const below = height - box.bottom - 12;
    const above = box.top - 12;
    const isBelow = below >= Math.min(panel.scrollHeight, 240) || below >= above;
    if (fills) panel.style.width = `${Math.min(Math.max(box.width, 260), width - 16)}px`;
    panel.style.maxHeight = `${Math.max(120, Math.min(tallest, isBelow ? below : above))}px`;
    panel.style.left = `${Math.max(8, Math.min(box.left, width - panel.offsetWidth - 8))}px`;
    panel.style.top = isBelow ? `${box.bottom + 4}px` : "auto";
    panel.style.bottom = isBelow ? "auto" : `${height - box.top + 4}px`;
  };
  const outside = (event) => {
    const path = event.composedPath();
    if (!path.includes(panel) && !path.includes(anchor)) close();
  };
  const moved = (event) => panel.contains(event.target) || place();
  // What the anchor stands in grows and shrinks while the panel is open, as when a chip is added.
  const grown = new ResizeObserver(place);
  const listen = (how) => {
    document[how]("pointerdown", outside, true);
    window[how]("scroll", moved, true);
    window[how]("resize", place);
  };
  const open = () => {
    if (!isOpen) {
      isOpen = true;
      panel.hidden = false;
      panel.showPopover?.();
      listen("addEventListener");
      grown.observe(anchor);
      grown.observe(anchor.closest(".nbviz-controls") ?? anchor);
    }
    place();
  };
  function close() {
    if (!isOpen) return;
    isOpen = false;
    listen("removeEventListener");
    grown.disconnect();
    panel.hidePopover?.();
    panel.hidden = true;
    closed();
  }
  return { open, close, place, isOpen: () => isOpen };
}

// The list of a combobox: the input keeps the focus, arrows mark an option, Enter picks it.
// `groups` gives [{title, options: [{key, text, detail, isChosen, isFaint, also}]}]; what is typed must be in text or also.
function listbox({ input, name, groups, pick }) {
  const id = `nbviz-list-${Math.random().toString(36).slice(2)}`;
  const element = attributes(make("div", "nbviz-list", { id }), { role: "listbox", "aria-label": name });
  attributes(input, { role: "combobox", "aria-autocomplete": "list", "aria-controls": id, "aria-expanded": "false" });
  let shown = [];
  let active = -1;
  const mark = (place) => {
    active = place;
    shown.forEach(({ row }, at) => row.classList.toggle("nbviz-active", at === place));
    const row = shown[place]?.row;
    if (!row) return input.removeAttribute("aria-activedescendant");
    input.setAttribute("aria-activedescendant", row.id);
    const top = row.offsetTop - element.offsetTop;
    if (top < element.scrollTop) element.scrollTop = top - 24;
    if (top + row.offsetHeight > element.scrollTop + element.clientHeight)
      element.scrollTop = top + row.offsetHeight - element.clientHeight;
  };
  const option = (one, at) => {
    const row = attributes(make("div", "nbviz-option", { id: `${id}-${at}`, title: one.text }), {
      role: "option",
      "aria-selected": String(Boolean(one.isChosen)),
    });
    row.classList.toggle("nbviz-none", Boolean(one.isFaint));
    row.append(make("span", "nbviz-option-text", { textContent: one.text }));
    if (one.detail) row.append(make("span", "nbviz-option-detail", { textContent: one.detail }));
    row.addEventListener("mousedown", (event) => event.preventDefault());
    row.addEventListener("click", () => pick(one.key));
    return row;
  };
  const draw = () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    const before = shown[active]?.key;
    const rows = [];
    shown = [];
    let left = 0;
    for (const { title, options } of groups()) {
      const found = options.filter(({ text, also = "" }) =>
        words.every((word) => `${text} ${also}`.toLowerCase().includes(word)),
      );
      const drawn = found.slice(0, Math.max(0, MOST_SHOWN - shown.length));
      left += found.length - drawn.length;
      if (!drawn.length) continue;
      if (title) rows.push(attributes(make("div", "nbviz-list-title", { textContent: title }), { role: "presentation" }));
      for (const one of drawn) {
        const row = option(one, shown.length);
        shown.push({ key: one.key, row });
        rows.push(row);
      }
    }
    if (left) rows.push(make("div", "nbviz-list-note", { textContent: `${left.toLocaleString("en")} more: type to find` }));
    element.replaceChildren(...rows);
    element.hidden = !rows.length;
    mark(shown.findIndex(({ key }) => key === before));
  };
  const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8 };
  // Do what a key means here, and say whether it meant something.
  const key = (event) => {
    if (event.key in steps && shown.length) {
      const last = shown.length - 1;
      const next = active < 0 ? (steps[event.key] > 0 ? 0 : last) : active + steps[event.key];
      const isStep = Math.abs(steps[event.key]) === 1;
      mark(isStep ? (next + shown.length) % shown.length : Math.max(0, Math.min(last, next)));
    } else if (event.key === "Enter" && active >= 0) {
      pick(shown[active].key);
    } else {
      return false;
    }
    event.preventDefault();
    return true;
  };
  return { element, draw, key, mark, forget: () => mark(-1), count: () => shown.length };
}
