// Keys for those who like them: 1 to 9 press the buttons of a table in their order. Nothing needs this.
"use strict";
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, select, textarea")) return;
  const button = document.querySelectorAll(".moves .button")[Number(event.key) - 1];
  if (button) button.click();
});
document.querySelectorAll(".moves .button").forEach((button, place) => {
  if (place > 8) return;
  const key = document.createElement("kbd");
  key.textContent = String(place + 1);
  key.setAttribute("aria-hidden", "true");
  button.append(key);
});
