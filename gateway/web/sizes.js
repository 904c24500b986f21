/** Sizes that a model draws, around the number of pixels that it draws best. */

const SHAPES = [
  { name: "Square", ratio: 1 },
  { name: "Landscape", ratio: 4 / 3 },
  { name: "Portrait", ratio: 3 / 4 },
  { name: "Wide", ratio: 16 / 9 },
  { name: "Tall", ratio: 9 / 16 },
];

/** Each shape with the model's nearest `width` and `height`; shapes that come out alike are left out. */
export function shapesOf(model) {
  const found = [];
  for (const { name, ratio } of SHAPES) {
    const [width, height] = nearest(model, ratio);
    const real = width / height;
    const isDouble = found.some((shape) => shape.width === width && shape.height === height);
    if (!isDouble && Math.abs(Math.log(real / ratio)) < 0.25) found.push({ name, width, height });
  }
  return found;
}

function nearest(model, ratio) {
  const area = Math.min(model.default_width * model.default_height, model.max_pixels);
  let width = snapped(model, Math.sqrt(area * ratio));
  let height = snapped(model, Math.sqrt(area / ratio));
  while (width * height > model.max_pixels && (width > model.min_size || height > model.min_size)) {
    if (width >= height) width = snapped(model, width - model.size_multiple);
    else height = snapped(model, height - model.size_multiple);
  }
  return [width, height];
}

function snapped(model, pixels) {
  const step = model.size_multiple;
  const least = Math.ceil(model.min_size / step) * step;
  const most = Math.floor(model.max_size / step) * step;
  return Math.min(most, Math.max(least, Math.round(pixels / step) * step));
}
