// A table of runs: some of its rows at once, sorted, searched and selected here, so that it needs no answer of the
// kernel. Python sends what there is, and makes the files. Before this come files.js, cells.js and choices.js.
const PAGE = 200; // rows
const BEAT = 20_000; // milliseconds, after which "3 min ago" may be wrong
const STEP = 10; // rows that Page Down goes

class Table {
  constructor(model, el) {
    Object.assign(this, { model, order: [], page: 0, search: "", sort: null, name: String(Math.random()) });
    this.selected = new Set(model.get("selected"));
    this.build(el);
    this.take();
    model.on("change:content", () => this.take());
    model.on("change:columns", () => this.arrange());
    model.on("change:selected", () => this.takeSelected());
    model.on("msg:custom", (message, buffers) => this.save(message, buffers));
  }

  build(el) {
    this.field = make("input", "nbviz-search", { type: "search", placeholder: "Search the columns shown" });
    this.field.setAttribute("aria-label", "Search the columns shown");
    this.field.addEventListener("input", () => this.find());
    this.choices = new Choices((key, isShown) => this.choose(key, isShown));
    this.files = ["csv", "parquet"].map((suffix) => {
      const name = suffix === "csv" ? "CSV" : "Parquet";
      const title = `Save these rows and columns as ${name}, with the values of the frame: all pages, in this order`;
      return button(name, title, () => this.ask(suffix));
    });
    this.note = make("div", "nbviz-line nbviz-warn", { hidden: true });
    this.head = make("thead");
    this.body = make("tbody");
    this.grid = make("table", "nbviz-grid", {}, this.head, this.body);
    this.grid.setAttribute("role", "grid");
    this.grid.setAttribute("aria-label", "Runs");
    this.grid.setAttribute("aria-multiselectable", "true");
    this.frame = make("div", "nbviz-rows", {}, this.grid);
    this.said = make("span", "nbviz-said");
    this.said.setAttribute("role", "status");
    this.clearer = button("Clear selection", "Select no row", () => this.select([]));
    this.turns = [-1, 1].map((by) => button(by < 0 ? "‹" : "›", by < 0 ? "Page before" : "Next page", () => this.turn(by)));
    this.place = make("span");
    const files = make("span", "nbviz-files", {}, ...this.files);
    this.pages = make("span", "nbviz-pages", {}, this.turns[0], this.place, this.turns[1]);
    const foot = make("div", "nbviz-foot", {}, this.said, this.clearer, this.pages);
    el.classList.add("nbviz-table");
    el.append(make("div", "nbviz-bar", {}, this.field, this.choices.button, files), this.choices.menu, this.note, this.frame, foot);
    el.dataset.lmSuppressShortcuts = "true"; // JupyterLab would take the arrows to move between cells
    this.listen();
  }

  listen() {
    this.body.addEventListener("mousedown", (event) => event.shiftKey && event.preventDefault()); // selects no text
    this.body.addEventListener("click", (event) => this.click(event));
    this.body.addEventListener("keydown", (event) => this.press(event));
    this.body.addEventListener("focusin", (event) => this.enter(event));
    this.sight = new ResizeObserver(() => this.isWaiting && this.reveal());
    this.sight.observe(this.frame);
    this.beat = setInterval(() => {
      for (const one of this.body.querySelectorAll(".nbviz-ago")) one.textContent = ago(Number(one.dataset.micros));
    }, BEAT);
  }

  // Takes new rows: what a person chose stays, but for another kind of run.
  take() {
    const { kind, ids, columns, zone, note } = this.model.get("content");
    const before = this.kind === kind && { seen: this.seen, ids: new Set(this.ids) };
    if (this.kind !== kind) Object.assign(this, { sort: null, page: 0, current: null, anchor: null });
    this.kind = kind;
    this.ids = JSON.parse(ids);
    this.all = new Map(Object.entries(columns).map(([key, sent]) => [key, new Column(key, sent, zone)]));
    this.note.textContent = note;
    this.note.hidden = !note;
    this.arrange();
    if (before) this.flash(before);
  }

  // Puts the rows in order and draws them.
  arrange() {
    const shown = this.model.get("columns").filter((key) => this.all.has(key)).map((key) => this.all.get(key));
    if (shown.length !== this.shown?.length || shown.some((one, place) => one !== this.shown[place])) this.told = [];
    this.shown = shown; // columns; `told` has what each row says in them, once it was looked for
    this.choices.draw([...this.all.values()], shown);
    this.drawHead();
    this.order = this.found();
    this.draw();
  }

  // The rows that the search leaves, in order.
  found() {
    const words = this.search.toLowerCase().split(/\s+/).filter(Boolean);
    const rows = [...this.ids.keys()];
    const order = words.length ? rows.filter((row) => words.every((word) => this.text(row).includes(word))) : rows;
    const column = this.sort && this.all.get(this.sort.key);
    if (!column) return order;
    const way = this.sort.isDown ? -1 : 1;
    const missing = (row) => (column.has(row) ? 0 : 1);
    const apart = (a, b) => (missing(a) ? 0 : way * (column.keys[a] - column.keys[b]));
    return order.sort((a, b) => missing(a) - missing(b) || apart(a, b) || a - b);
  }

  text(row) {
    this.told[row] ??= this.shown.map((column) => column.text(row)).join("\n").toLowerCase();
    return this.told[row];
  }

  choose(key, isShown) {
    const kept = this.model.get("columns").filter((one) => one !== key);
    this.model.set("columns", isShown ? [...kept, key] : kept);
    this.model.save_changes();
  }

  drawHead() {
    const titles = this.shown.map(({ key, label }) => key + label).join();
    if (this.titles !== titles) {
      const row = make("tr", "", {}, ...this.shown.map((column) => this.title(column)));
      this.head.replaceChildren(row);
    }
    this.titles = titles;
    this.shown.forEach(({ key }, place) => {
      const sorting = this.sort?.key !== key ? "none" : this.sort.isDown ? "descending" : "ascending";
      this.head.firstChild.children[place].setAttribute("aria-sort", sorting);
    });
  }

  title({ key, label, form }) {
    const title = form === "time" ? `Sort by ${label}; times are in ${this.all.get(key).zone}` : `Sort by ${label}`;
    return make("th", `nbviz-of-${form}`, { scope: "col" }, button(label, title, () => this.sortBy(key)));
  }

  // Once upwards, then downwards, then as the frame is.
  sortBy(key) {
    if (this.sort?.key !== key) this.sort = { key, isDown: false };
    else this.sort = this.sort.isDown ? null : { key, isDown: true };
    this.page = 0;
    this.frame.scrollTop = 0;
    this.arrange();
  }

  find() {
    this.search = this.field.value;
    this.page = 0;
    this.arrange();
  }

  turn(by) {
    this.page += by;
    this.frame.scrollTop = 0;
    this.draw();
  }

  draw() {
    this.page = Math.max(0, Math.min(this.page, Math.ceil(this.order.length / PAGE) - 1));
    const rows = this.order.slice(this.page * PAGE, (this.page + 1) * PAGE);
    const held = this.body.contains(this.body.getRootNode().activeElement);
    this.body.replaceChildren(...(rows.length ? rows.map((row, place) => this.row(row, place)) : [this.nothing()]));
    if (!rows.some((row) => this.ids[row] === this.current)) this.current = rows.length ? this.ids[rows[0]] : null;
    this.grid.setAttribute("aria-rowcount", this.order.length + 1);
    this.seen = new Map(rows.map((row) => [this.ids[row], this.text(row)]));
    this.mark();
    if (held) this.element(this.current)?.focus({ preventScroll: true });
  }

  row(row, place) {
    const cells = this.shown.map((column) => {
      const cell = make("td", `nbviz-of-${column.form}`);
      const hasBegun = column.key !== "duration" || (this.all.get("start_time")?.has(row) ?? true);
      column.fill(cell, row, NO_VALUE[column.key] ?? (column.key !== "duration" ? "" : hasBegun ? "not ended" : "not started"));
      return cell;
    });
    const element = make("tr", "", {}, ...cells);
    element.dataset.id = this.ids[row];
    element.setAttribute("aria-rowindex", this.page * PAGE + place + 2);
    return element;
  }

  nothing() {
    const text = this.ids.length ? `None of ${this.ids.length.toLocaleString("en")} rows has that text.` : "No rows.";
    return make("tr", "nbviz-nothing", {}, make("td", "", { colSpan: this.shown.length, textContent: text }));
  }

  // Shows for a moment which rows are new or not what they were.
  flash(before) {
    if (!this.ids.some((id) => before.ids.has(id))) return; // other runs altogether
    for (const [id, text] of this.seen) {
      const isChanged = before.seen.has(id) ? before.seen.get(id) !== text : !before.ids.has(id);
      if (isChanged) this.element(id).classList.add("nbviz-changed");
    }
  }

  element(id) {
    return [...this.body.children].find((one) => one.dataset.id === id && id !== null);
  }

  mark() {
    for (const one of this.body.children) {
      if (one.dataset.id === undefined) continue;
      one.setAttribute("aria-selected", String(this.selected.has(one.dataset.id)));
      one.tabIndex = one.dataset.id === this.current ? 0 : -1;
    }
    this.say();
  }

  say() {
    const say = (count) => count.toLocaleString("en");
    const rows = this.order.length;
    const pages = Math.ceil(rows / PAGE);
    const first = this.page * PAGE + 1;
    const parts = [pages > 1 ? `Rows ${say(first)} to ${say(Math.min(first + PAGE - 1, rows))} of ${say(rows)}` : `${say(rows)} row${rows === 1 ? "" : "s"}`];
    if (rows < this.ids.length) parts.push(`found in ${say(this.ids.length)}`);
    const { held } = this.model.get("content");
    if (held) parts.push(held);
    if (this.selected.size) {
      const there = this.order.reduce((sum, row) => sum + this.selected.has(this.ids[row]), 0);
      parts.push(`${say(this.selected.size)} selected${there < this.selected.size ? `, ${say(there)} of them in these rows` : ""}`);
    }
    this.said.textContent = this.problem ? `${this.problem}` : parts.join(" · ");
    this.clearer.hidden = !this.selected.size;
    this.pages.hidden = pages < 2;
    this.place.textContent = `Page ${this.page + 1} of ${pages}`;
    this.turns[0].disabled = this.page === 0;
    this.turns[1].disabled = this.page >= pages - 1;
  }

  click(event) {
    const id = event.target.closest("tr")?.dataset.id;
    const marked = this.body.getRootNode().getSelection?.() ?? globalThis.getSelection();
    if (id === undefined || (!event.shiftKey && String(marked) && this.body.contains(marked.anchorNode))) return;
    this.current = id;
    this.pick(id, event);
    this.element(id).focus({ preventScroll: true });
  }

  // Selects one row, or with Ctrl one more or less, or with Shift all from the last one to this.
  pick(id, { shiftKey, ctrlKey, metaKey }) {
    const isMore = ctrlKey || metaKey;
    if (shiftKey && this.anchor) return this.select([...(isMore ? this.selected : []), ...this.range(this.anchor, id)]);
    this.anchor = id;
    const others = [...this.selected].filter((one) => one !== id);
    const isOut = this.selected.has(id) && (isMore || !others.length);
    return this.select([...(isMore ? others : []), ...(isOut ? [] : [id])]);
  }

  range(...ends) {
    const ids = this.order.map((row) => this.ids[row]);
    const [from, to] = ends.map((id) => ids.indexOf(id)).sort((a, b) => a - b);
    return ids.slice(Math.max(from, 0), to + 1);
  }

  select(ids) {
    this.selected = new Set(ids);
    this.mark();
    this.model.set("selected", [...this.selected]);
    this.model.save_changes();
  }

  // Marks what was selected elsewhere.
  takeSelected() {
    const ids = this.model.get("selected");
    if (ids.length === this.selected.size && ids.every((id) => this.selected.has(id))) return;
    this.selected = new Set(ids);
    this.mark();
    this.reveal();
  }

  // If no selected row is in sight, goes to the first one; in a tab that is not open, once it is.
  reveal() {
    this.isWaiting = !this.frame.clientHeight;
    if (this.isWaiting) return;
    const view = this.frame.getBoundingClientRect();
    const top = view.top + this.head.offsetHeight;
    const isSeen = (one) => one.getBoundingClientRect().top >= top - 1 && one.getBoundingClientRect().bottom <= view.bottom + 1;
    if ([...this.body.querySelectorAll('[aria-selected="true"]')].some(isSeen)) return;
    const place = this.order.findIndex((row) => this.selected.has(this.ids[row]));
    if (place < 0) return;
    this.goTo(place);
    this.frame.scrollTop += this.element(this.current).getBoundingClientRect().top - top;
  }

  goTo(place) {
    this.current = this.ids[this.order[place]];
    const page = Math.floor(place / PAGE);
    if (page === this.page) return this.mark();
    this.page = page;
    return this.draw();
  }

  // Who comes by keyboard went through the titles, the last of which scrolled the first columns away.
  enter({ target, relatedTarget }) {
    if (this.head.contains(relatedTarget) && target.matches(":focus-visible")) this.frame.scrollLeft = 0;
  }

  press(event) {
    const at = this.order.findIndex((row) => this.ids[row] === this.current);
    const last = this.order.length - 1;
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, PageDown: at + STEP, PageUp: at - STEP, Home: 0, End: last }[event.key];
    if (at < 0) return;
    if (to !== undefined) {
      this.anchor ??= this.current;
      this.goTo(Math.max(0, Math.min(to, last)));
      this.element(this.current).focus();
      if (event.shiftKey) this.pick(this.current, event);
    } else if (event.key === " " || event.key === "Enter") {
      this.pick(this.current, { shiftKey: event.shiftKey, ctrlKey: event.key === " " && !event.shiftKey });
    } else if (event.key === "a" && (event.ctrlKey || event.metaKey)) {
      this.select(this.order.map((row) => this.ids[row]));
    } else if (event.key === "Escape" && this.selected.size) this.select([]);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  ask(suffix) {
    const shown = { search: this.search.trim(), sort: this.sort && { column: this.sort.key, descending: this.sort.isDown } };
    const { number } = this.model.get("content");
    this.problem = "Waiting for the kernel to make the file …";
    this.say();
    this.model.send({ from: this.name, suffix, number, shown }, undefined, [new Int32Array(this.order).buffer]);
  }

  save({ to, name, problem }, buffers) {
    if (to !== this.name) return;
    this.problem = problem;
    this.say();
    this.problem = undefined;
    if (problem) return;
    keep(name, buffers[0]);
  }
}

function render({ model, el }) {
  const table = new Table(model, el);
  return () => {
    table.sight.disconnect();
    clearInterval(table.beat);
  };
}

export default { render };
