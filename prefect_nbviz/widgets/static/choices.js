// A button that opens a box for each column; the last one that is shown cannot be taken away. Before this comes cells.js.
class Choices {
  constructor(choose) {
    this.choose = choose;
    this.menu = make("div", "nbviz-choices", { hidden: true });
    this.button = button("Columns", "Choose the columns", () => this.toggle());
    this.button.setAttribute("aria-expanded", "false");
    this.menu.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      this.toggle();
      this.button.focus();
    });
  }

  toggle() {
    this.menu.hidden = !this.menu.hidden;
    this.button.setAttribute("aria-expanded", String(!this.menu.hidden));
    if (!this.menu.hidden) this.menu.querySelector("input:not(:disabled)")?.focus();
  }

  draw(all, shown) {
    const offered = all.map(({ key }) => key).join();
    if (this.offered !== offered) this.menu.replaceChildren(...all.map((column) => this.choice(column)));
    this.offered = offered;
    const keys = new Set(shown.map(({ key }) => key));
    for (const { firstChild: box } of this.menu.children) {
      box.checked = keys.has(box.value);
      box.disabled = box.checked && keys.size === 1;
    }
  }

  choice({ key, label }) {
    const box = make("input", "", { type: "checkbox", value: key });
    box.addEventListener("change", () => this.choose(key, box.checked));
    return make("label", "", {}, box, label);
  }
}
