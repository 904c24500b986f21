/** A mask painted over a picture, in the picture's own pixels: white where it may change. */

const COLOUR = "#2743e3";

export class MaskCanvas {
  /** Brush width in percent of the picture's shorter side. */
  brush = 14;
  onpaint = () => {};
  #strokes = [];
  #inverted = false;

  constructor(width, height) {
    this.canvas = document.createElement("canvas");
    Object.assign(this.canvas, { width, height, className: "paint" });
    this.canvas.setAttribute("role", "img");
    this.canvas.setAttribute("aria-label", "Paint here with a pointer");
    this.canvas.addEventListener("pointerdown", (event) => this.#begin(event));
  }

  get isEmpty() {
    return this.#strokes.length === 0 && !this.#inverted;
  }

  undo() {
    this.#strokes.pop();
    this.#draw();
  }

  clear() {
    this.#strokes = [];
    this.#inverted = false;
    this.#draw();
  }

  invert() {
    this.#inverted = !this.#inverted;
    this.#draw();
  }

  /** The mask as a PNG data URL. */
  async dataUrl() {
    const canvas = document.createElement("canvas");
    Object.assign(canvas, { width: this.canvas.width, height: this.canvas.height });
    paint(canvas.getContext("2d"), this.#strokes, this.#inverted ? "#fff" : "#000", this.#inverted ? "#000" : "#fff");
    return canvas.toDataURL("image/png");
  }

  #begin(event) {
    event.preventDefault();
    this.canvas.setPointerCapture(event.pointerId);
    const width = (Math.min(this.canvas.width, this.canvas.height) * this.brush) / 100;
    const stroke = { width, points: [this.#point(event)] };
    this.#strokes.push(stroke);
    this.#draw();
    const move = (moved) => { stroke.points.push(this.#point(moved)); this.#draw(); };
    const end = () => {
      this.canvas.removeEventListener("pointermove", move);
      this.canvas.removeEventListener("pointerup", end);
      this.canvas.removeEventListener("pointercancel", end);
    };
    this.canvas.addEventListener("pointermove", move);
    this.canvas.addEventListener("pointerup", end);
    this.canvas.addEventListener("pointercancel", end);
  }

  #point(event) {
    const box = this.canvas.getBoundingClientRect();
    return [((event.clientX - box.left) / box.width) * this.canvas.width, ((event.clientY - box.top) / box.height) * this.canvas.height];
  }

  #draw() {
    const context = this.canvas.getContext("2d");
    context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    if (this.#inverted) {
      paint(context, [], COLOUR, COLOUR);
      context.globalCompositeOperation = "destination-out";
    }
    paint(context, this.#strokes, null, COLOUR);
    context.globalCompositeOperation = "source-over";
    this.onpaint();
  }
}

function paint(context, strokes, ground, colour) {
  if (ground) {
    context.fillStyle = ground;
    context.fillRect(0, 0, context.canvas.width, context.canvas.height);
  }
  context.strokeStyle = colour;
  context.lineCap = "round";
  context.lineJoin = "round";
  for (const { width, points } of strokes) {
    context.lineWidth = width;
    context.beginPath();
    context.moveTo(...points[0]);
    for (const point of points) context.lineTo(...point);
    context.stroke();
  }
}
