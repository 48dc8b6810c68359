// The button that asks Python for a report and gives it to the browser, and what is said beside it. Before this comes
// files.js.
function render({ model, el }) {
  el.classList.add("nbviz-report");
  const name = String(Math.random());
  const button = document.createElement("button");
  Object.assign(button, { type: "button", className: "jupyter-button", title: "Save what is shown as one HTML page" });
  const icon = Object.assign(document.createElement("i"), { className: "fa fa-file-text-o" });
  icon.setAttribute("aria-hidden", "true");
  button.append(icon, "Report");
  const said = Object.assign(document.createElement("span"), { className: "nbviz-quiet" });
  said.setAttribute("role", "status");
  el.append(button, said);

  const draw = () => {
    said.textContent = model.get("said");
    said.classList.toggle("nbviz-problem", model.get("is_problem"));
    button.disabled = model.get("is_busy");
  };
  const save = (message, buffers) => message.to === name && keep(message.name, buffers[0]);
  button.addEventListener("click", () => {
    said.textContent = "Waiting for the kernel to make the report …";
    said.classList.remove("nbviz-problem");
    model.send({ from: name });
  });
  const heard = ["change:said", "change:is_problem", "change:is_busy"];
  for (const one of heard) model.on(one, draw);
  model.on("msg:custom", save);
  draw();
  return () => {
    for (const one of heard) model.off(one, draw);
    model.off("msg:custom", save);
  };
}

export default { render };
