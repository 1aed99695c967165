"use strict";
(() => {
  const find = (id) => document.getElementById(id);
  const data = JSON.parse(find("data").textContent);
  const canvas = find("map"), swipe = find("swipe"), readout = find("readout");
  const context = canvas.getContext("2d");
  const [west, south, east, north] = data.bounds;
  // A degree of longitude is shorter than one of latitude, by the cosine of the latitude.
  const middle = ((south + north) / 2) * (Math.PI / 180);
  const shrink = data.geographic ? Math.max(Math.cos(middle), 0.1) : 1;
  const coarse = prepare(data.coarse, data.limits, data.ramp);
  const fine = prepare(data.fine, data.limits, data.ramp);
  const uncertainty = data.uncertainty && prepare(data.uncertainty, data.uncertaintyLimits, data.uncertaintyRamp);
  const MOST = 64, NEAR = 14, CLICK = 5;

  let width = 0, height = 0;
  let zoom = 1, x0 = (west + east) / 2, y0 = (south + north) / 2; // the middle of the view
  let cross = null; // where values are read, in map coordinates
  let right = fine; // what is drawn on the right of the divider

  function prepare(raster, [low, high], ramp) {
    const bytes = Uint8Array.from(atob(raster.values), (letter) => letter.charCodeAt(0));
    const values = new Float32Array(bytes.buffer);
    const sheet = document.createElement("canvas");
    sheet.width = raster.columns;
    sheet.height = raster.rows;
    const pixels = new ImageData(raster.columns, raster.rows);
    values.forEach((value, index) => {
      if (Number.isNaN(value)) return; // a gap stays transparent
      const step = Math.floor((256 * (value - low)) / (high - low));
      pixels.data.set(ramp[Math.min(Math.max(step, 0), 255)], 4 * index);
      pixels.data[4 * index + 3] = 255;
    });
    sheet.getContext("2d").putImageData(pixels, 0, 0);
    return { ...raster, values, sheet };
  }

  function valueAt(raster, x, y) {
    const column = Math.floor((x - raster.west) / raster.dx);
    const row = Math.floor((y - raster.north) / raster.dy);
    if (x < west || x > east || y < south || y > north) return NaN; // an averaged cell may reach beyond
    const inside = column >= 0 && row >= 0 && column < raster.columns && row < raster.rows;
    return inside ? raster.values[row * raster.columns + column] : NaN;
  }

  // Pixels along one unit of x; y has 1 / shrink times as many.
  const pace = () => zoom * Math.min(width / (east - west), (height * shrink) / (north - south));
  const toPixels = (x, y) => [width / 2 + (x - x0) * pace(), height / 2 - ((y - y0) * pace()) / shrink];
  const toMap = (px, py) => [x0 + (px - width / 2) / pace(), y0 - ((py - height / 2) * shrink) / pace()];
  const edge = () => (width * swipe.value) / 100;

  function resize() {
    const shape = (north - south) / shrink / (east - west);
    width = canvas.parentElement.clientWidth;
    height = Math.round(Math.min(Math.max(width * shape, 160), window.innerHeight * 0.7));
    const density = window.devicePixelRatio || 1;
    canvas.width = Math.round(width * density);
    canvas.height = Math.round(height * density);
    canvas.style.height = `${height}px`;
    context.setTransform(density, 0, 0, density, 0, 0);
    draw();
  }

  const hatch = (() => {
    const tile = document.createElement("canvas");
    tile.width = tile.height = 6;
    const pen = tile.getContext("2d");
    pen.fillStyle = "#fff";
    pen.fillRect(0, 0, 6, 6);
    pen.strokeStyle = "#888";
    pen.beginPath();
    pen.moveTo(0, 6);
    pen.lineTo(6, 0);
    pen.stroke();
    return context.createPattern(tile, "repeat");
  })();

  function drawRaster(raster, left, right) {
    const [x, y] = toPixels(raster.west, raster.north);
    const [toX, toY] = toPixels(raster.west + raster.columns * raster.dx, raster.north + raster.rows * raster.dy);
    context.save();
    context.beginPath();
    context.rect(left, 0, Math.max(right - left, 0), height);
    context.clip();
    const [leftmost, top] = toPixels(west, north), [rightmost, bottom] = toPixels(east, south);
    context.beginPath();
    context.rect(leftmost, top, rightmost - leftmost, bottom - top);
    context.clip();
    context.imageSmoothingEnabled = false;
    context.drawImage(raster.sheet, x, y, toX - x, toY - y);
    context.restore();
  }

  function draw() {
    context.clearRect(0, 0, width, height);
    const [x, y] = toPixels(west, north), [toX, toY] = toPixels(east, south);
    context.fillStyle = hatch;
    context.fillRect(x, y, toX - x, toY - y);
    drawRaster(coarse, 0, edge());
    drawRaster(right, edge(), width);
    context.fillStyle = "#fff";
    context.fillRect(edge() - 2, 0, 4, height);
    context.fillStyle = "#1d1d24";
    context.fillRect(edge() - 1, 0, 2, height);
    if (cross) drawCross(...toPixels(...cross));
  }

  function drawCross(x, y) {
    for (const [colour, size] of [["#fff", 4], ["#1d1d24", 1.5]]) {
      context.strokeStyle = colour;
      context.lineWidth = size;
      context.beginPath();
      context.moveTo(x - 9, y);
      context.lineTo(x + 9, y);
      context.moveTo(x, y - 9);
      context.lineTo(x, y + 9);
      context.stroke();
    }
  }

  const toText = (value) => (Number.isNaN(value) ? "gap" : value.toPrecision(4));
  function place(x, y) {
    if (!data.geographic) return `x ${x.toFixed(0)}, y ${y.toFixed(0)}`;
    const around = ((((x + 180) % 360) + 360) % 360) - 180;
    const angle = (value, letters) => `${Math.abs(value).toFixed(4)}°${letters[value < 0 ? 1 : 0]}`;
    return `${angle(y, "NS")} ${angle(around, "EW")}`;
  }

  function point(x, y, aloud) {
    cross = [x, y];
    const values = [valueAt(coarse, x, y), valueAt(fine, x, y)];
    const times = data.unit.startsWith("10") ? "× " : "";
    const unit = values.every(Number.isNaN) ? "" : ` ${times}${data.unit}`;
    const sigma = uncertainty ? valueAt(uncertainty, x, y) : NaN;
    const error = Number.isNaN(sigma) || Number.isNaN(values[1]) ? "" : ` ± ${sigma.toPrecision(2)}`;
    readout.value = `${place(x, y)}: before ${toText(values[0])}, after ${toText(values[1])}${error}${unit}`;
    if (aloud) find("spoken").textContent = readout.value;
    draw();
  }

  // Zoom so that what was at (px, py) is at (toX, toY): it stays under the pointer or the fingers.
  function zoomTo(factor, px = width / 2, py = height / 2, toX = px, toY = py) {
    const [x, y] = toMap(px, py);
    zoom = Math.min(Math.max(zoom * factor, 1), MOST);
    const [nowX, nowY] = toMap(toX, toY);
    x0 += x - nowX;
    y0 += y - nowY;
    keepInside();
  }

  function keepInside() {
    const within = (value, least, most) => Math.min(Math.max(value, least), most);
    x0 = zoom === 1 ? (west + east) / 2 : within(x0, west, east);
    y0 = zoom === 1 ? (south + north) / 2 : within(y0, south, north);
    draw();
  }

  function whole() {
    zoom = 1;
    keepInside();
  }

  // --- pointers: one drags the map or the divider, two pinch; without a button pressed, one points
  const held = new Map();
  let dragsDivider = false, moved = 0;
  const spot = (event) => {
    const box = canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  const grip = () => {
    const [a, b] = [...held.values()];
    return [Math.hypot(a[0] - b[0], a[1] - b[1]), (a[0] + b[0]) / 2, (a[1] + b[1]) / 2];
  };

  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return; // another button opens a menu, and its release is not reported
    canvas.setPointerCapture(event.pointerId);
    held.set(event.pointerId, spot(event));
    moved = held.size === 1 ? 0 : Infinity;
    dragsDivider = held.size === 1 && Math.abs(spot(event)[0] - edge()) < NEAR;
  });

  canvas.addEventListener("pointermove", (event) => {
    const now = spot(event), before = held.get(event.pointerId);
    if (!before) {
      if (event.pointerType !== "touch") point(...toMap(...now));
      return;
    }
    const old = held.size === 2 ? grip() : null;
    held.set(event.pointerId, now);
    moved += Math.hypot(now[0] - before[0], now[1] - before[1]);
    if (old) {
      const [apart, px, py] = grip();
      zoomTo(apart / Math.max(old[0], 1), old[1], old[2], px, py);
    } else if (dragsDivider) {
      setSwipe((100 * now[0]) / width);
    } else if (moved > CLICK) {
      x0 -= (now[0] - before[0]) / pace();
      y0 += ((now[1] - before[1]) * shrink) / pace();
      keepInside();
    }
  });

  function release(event) {
    if (!held.has(event.pointerId)) return;
    if (event.type === "pointerup" && moved <= CLICK) {
      point(...toMap(...spot(event)), true);
    }
    held.delete(event.pointerId);
    dragsDivider = false;
  }
  canvas.addEventListener("pointerup", release);
  canvas.addEventListener("pointercancel", release);
  canvas.addEventListener("lostpointercapture", release);

  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    zoomTo(Math.exp(-event.deltaY / 400), ...spot(event));
  }, { passive: false });

  // --- keys
  const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
  canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key in STEPS) step(...STEPS[event.key], event.shiftKey ? 10 : 1);
    else if (event.key === "+" || event.key === "=") zoomTo(1.5, ...(cross ? toPixels(...cross) : []));
    else if (event.key === "-") zoomTo(1 / 1.5);
    else if (event.key === "0") whole();
    else return;
    event.preventDefault();
  });

  // The cross moves from the middle of one cell to that of another, and the view follows it. In a
  // cell that reaches beyond the map, it stands in the middle of the part on the map.
  function step(right, up, count) {
    const [x, y] = cross || [x0, y0];
    const within = (value, most) => Math.min(Math.max(value, 0), most - 1);
    const column = within(Math.floor((x - fine.west) / fine.dx) + right * count, fine.columns);
    const row = within(Math.floor((y - fine.north) / fine.dy) - up * count, fine.rows);
    const left = fine.west + column * fine.dx, top = fine.north + row * fine.dy;
    const next = [(left + Math.min(left + fine.dx, east)) / 2, (top + Math.max(top + fine.dy, south)) / 2];
    const [px, py] = toPixels(...next);
    if (px < 0 || py < 0 || px > width || py > height) [x0, y0] = next;
    point(...next, true);
  }

  function setSwipe(share) {
    swipe.value = share;
    swipe.setAttribute("aria-valuetext", `${Math.round(swipe.value)} % before`);
    draw();
  }

  for (const choice of document.querySelectorAll("input[name=view]")) {
    choice.addEventListener("change", () => show(choice.value));
  }
  function show(view) {
    right = view === "uncertainty" ? uncertainty : fine;
    const name = view === "uncertainty" ? "uncertainty" : "after";
    find("right").textContent = name;
    find("second").hidden = view !== "uncertainty";
    canvas.setAttribute("aria-label", `Map: before on the left, ${name} on the right`);
    draw();
  }
  // A browser that reloads the page may restore an earlier choice.
  const chosen = document.querySelector("input[name=view]:checked");

  swipe.addEventListener("input", () => setSwipe(swipe.value));
  find("closer").addEventListener("click", () => zoomTo(1.5));
  find("farther").addEventListener("click", () => zoomTo(1 / 1.5));
  find("whole").addEventListener("click", whole);
  new ResizeObserver(resize).observe(canvas.parentElement);
  window.addEventListener("resize", resize);
  resize();
  if (chosen) show(chosen.value);
})();
