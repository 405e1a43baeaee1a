// What a page does by itself: values under the pointer, and a slider over the samples. Without it nothing is missing but that.

export const SCRIPT = `
"use strict";
for (const svg of document.querySelectorAll("svg[data-x]")) {
  const box = svg.parentElement;
  const data = JSON.parse(box.querySelector("script").textContent);
  const frame = svg.dataset.x.split(" ").map(Number);
  const along = svg.dataset.log === undefined ? (x) => x : Math.log;
  const tip = box.appendChild(document.createElement("div"));
  const cursor = svg.querySelector(".cursor");
  tip.className = "tip";
  const hide = () => { tip.style.display = "none"; cursor.style.visibility = "hidden"; };
  const show = (event) => {
    const r = svg.getBoundingClientRect();
    const width = svg.viewBox.baseVal.width;
    const px = (event.clientX - r.left) * width / r.width;
    const want = frame[0] + (px - frame[2]) / (frame[3] - frame[2]) * (frame[1] - frame[0]);
    if (px < frame[2] - 8 || px > frame[3] + 8 || !data.x.length) return hide();
    let a = 0, b = data.x.length - 1;
    while (a < b) { const m = (a + b) >> 1; if (along(data.x[m]) < want) a = m + 1; else b = m; }
    if (a > 0 && want - along(data.x[a - 1]) < along(data.x[a]) - want) a--;
    const at = frame[2] + (along(data.x[a]) - frame[0]) / ((frame[1] - frame[0]) || 1) * (frame[3] - frame[2]);
    cursor.setAttribute("x1", at); cursor.setAttribute("x2", at); cursor.style.visibility = "visible";
    tip.textContent = "";
    const lines = [data.label + " " + data.x[a].toLocaleString("en-US")];
    data.names.forEach((name, k) => { const v = data.y[k][a]; if (v !== null && v !== undefined && v !== "") lines.push(name + "  " + v); });
    for (const line of lines) { const div = document.createElement("div"); div.textContent = line; tip.append(div); }
    tip.style.display = "block";
    const left = at * r.width / width;
    const host = box.getBoundingClientRect();
    tip.style.left = (left + 14 + tip.offsetWidth > r.width ? left - tip.offsetWidth - 14 : left + 14) + "px";
    tip.style.top = (r.top - host.top + 10) + "px";
  };
  svg.addEventListener("pointermove", show);
  svg.addEventListener("pointerleave", hide);
}
for (const box of document.querySelectorAll(".samples")) {
  const input = box.querySelector("input"), shown = box.querySelector("output");
  const all = [...box.querySelectorAll("figure")];
  const turn = () => {
    all.forEach((each, k) => each.classList.toggle("on", k === Number(input.value)));
    shown.textContent = all[Number(input.value)].dataset.step;
  };
  box.dataset.ready = "";
  input.addEventListener("input", turn);
  turn();
}
`.trim();
