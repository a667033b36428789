// Reads the values of a chart out below it while the pointer moves over it. Without this script the
// same text is the tooltip of each place on the x axis.
for (const chart of document.querySelectorAll(".curves")) {
  const values = document.createElement("p");
  values.className = "curve-values";
  chart.after(values);
  chart.addEventListener("pointerover", (event) => {
    const reading = event.target.closest(".curve-reading");
    if (!reading) return;
    values.textContent = reading.querySelector("title").textContent.split("\n").join(" · ");
  });
  chart.addEventListener("pointerleave", () => {
    values.textContent = "";
  });
}
