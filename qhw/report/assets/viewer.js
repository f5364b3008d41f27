// Ball-and-stick views on plain canvases: no WebGL, so any number of them draws anywhere.
// Data: <canvas data-molecule='{"atoms": [["C", x, y, z], ...], "bonds": [[i, j], ...]}'
//               data-pair="3">; canvases of one pair turn together.
"use strict";
(() => {
  const COLOURS = { C: "#5b6470", N: "#2f62d9", O: "#d8342c", F: "#2f9e44" };
  const RADII = { C: 0.38, N: 0.36, O: 0.35, F: 0.32 };
  const turns = new Map();

  function turned(atoms, [ax, ay]) {
    const [cx, sx, cy, sy] = [Math.cos(ax), Math.sin(ax), Math.cos(ay), Math.sin(ay)];
    return atoms.map(([symbol, x, y, z]) => {
      const x1 = cy * x + sy * z;
      const z1 = cy * z - sy * x;
      return { symbol, x: x1, y: cx * y - sx * z1, z: sx * y + cx * z1 };
    });
  }

  function stick(context, a, b, width) {
    context.beginPath();
    context.moveTo(a.px, a.py);
    context.lineTo(b.px, b.py);
    context.lineWidth = width;
    context.strokeStyle = "#9aa3ae";
    context.stroke();
  }

  function ball(context, atom, scale) {
    const radius = RADII[atom.symbol] * scale * (1 + 0.03 * atom.z);
    const shade = context.createRadialGradient(
      atom.px - radius / 3, atom.py - radius / 3, radius / 8, atom.px, atom.py, radius);
    shade.addColorStop(0, "#ffffff");
    shade.addColorStop(0.35, COLOURS[atom.symbol]);
    shade.addColorStop(1, COLOURS[atom.symbol]);
    context.beginPath();
    context.arc(atom.px, atom.py, radius, 0, 2 * Math.PI);
    context.fillStyle = shade;
    context.fill();
  }

  function draw(canvas) {
    const { atoms, bonds } = canvas.molecule;
    const ratio = window.devicePixelRatio || 1;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    canvas.width = width * ratio;
    canvas.height = height * ratio;
    const context = canvas.getContext("2d");
    context.scale(ratio, ratio);
    const scale = Math.min(width, height) / (2 * canvas.reach);
    const points = turned(atoms, turns.get(canvas.dataset.pair));
    for (const p of points) {
      p.px = width / 2 + p.x * scale;
      p.py = height / 2 - p.y * scale;
    }
    const parts = points.map((p) => ({ z: p.z, paint: () => ball(context, p, scale) }));
    for (const [i, j] of bonds) {
      const [a, b] = [points[i], points[j]];
      parts.push({ z: (a.z + b.z) / 2 - 0.05, paint: () => stick(context, a, b, scale * 0.16) });
    }
    parts.sort((a, b) => a.z - b.z).forEach((part) => part.paint());
  }

  const canvases = [...document.querySelectorAll("canvas[data-molecule]")];
  const pairOf = (canvas) => canvases.filter((c) => c.dataset.pair === canvas.dataset.pair);

  function turn(canvas, dx, dy) {
    const [ax, ay] = turns.get(canvas.dataset.pair);
    turns.set(canvas.dataset.pair, [ax + dy, ay + dx]);
    pairOf(canvas).forEach(draw);
  }

  for (const canvas of canvases) {
    canvas.molecule = JSON.parse(canvas.dataset.molecule);
    turns.set(canvas.dataset.pair, [0.35, 0.5]);
  }
  for (const canvas of canvases) {
    const far = pairOf(canvas).flatMap((c) => c.molecule.atoms.map((a) => Math.hypot(a[1], a[2], a[3])));
    canvas.reach = Math.max(1.5, ...far) + 0.5;
    canvas.addEventListener("pointerdown", (event) => canvas.setPointerCapture(event.pointerId));
    canvas.addEventListener("pointermove", (event) => {
      if (event.buttons) turn(canvas, event.movementX / 80, event.movementY / 80);
    });
    canvas.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: [-0.2, 0], ArrowRight: [0.2, 0], ArrowUp: [0, -0.2], ArrowDown: [0, 0.2] }[event.key];
      if (step) {
        turn(canvas, ...step);
        event.preventDefault();
      }
    });
    draw(canvas);
  }
  window.addEventListener("resize", () => canvases.forEach(draw));
  window.addEventListener("beforeprint", () => canvases.forEach(draw));
})();
