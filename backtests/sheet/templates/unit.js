// Shows the values of another bar in the diagram of a unit.
for (const unit of document.querySelectorAll(".unit")) {
  const steps = JSON.parse(unit.dataset.steps), dates = JSON.parse(unit.dataset.dates);
  const input = unit.querySelector("input");
  input.addEventListener("input", () => {
    unit.querySelector(".step").textContent = dates[input.value];
    for (const text of unit.querySelectorAll("[data-k]"))
      text.textContent = steps[input.value][text.dataset.k].toFixed(3).replace("-", "−");
  });
}
