// A report's own behaviour: its charts, and the search among a run's settings.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const place = document.getElementById("panel");
  if (place) new Panel(place).setRuns(JSON.parse(document.getElementById("data").textContent));

  for (const box of document.querySelectorAll(".searchable")) {
    const search = box.querySelector(".search"), only = box.querySelector(".only");
    const filter = () => {
      const wanted = search.value.trim().toLowerCase();
      for (const row of box.querySelectorAll("tbody tr")) {
        const found = row.textContent.toLowerCase().includes(wanted);
        row.hidden = !found || (only.checked && !row.classList.contains("changed"));
      }
    };
    search.addEventListener("input", filter);
    only.addEventListener("change", filter);
  }

  // A link to a run opens nothing that is folded; printing shows all of it.
  addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((one) => { one.open = true; }));
});
