// From a weight to a colour: the scale and the spread of pointaction/explain, so that the page and
// the overlay show the same.

// [weight, red, green, blue]; between the anchors colours are mixed in linear light.
const ANCHORS = [
  [0.0, 80, 76, 160],
  [0.2, 132, 80, 196],
  [0.4, 204, 76, 164],
  [0.6, 246, 108, 92],
  [0.8, 254, 168, 48],
  [1.0, 255, 244, 150],
];
const STEPS = 256;
const GAMMA = 2.2;
const MIN_CONTRAST = 0.5; // of the mean weight; smaller differences are not blown up

// (256 x 3) bytes.
export const HEAT = new Uint8ClampedArray(3 * STEPS);

for (let step = 0; step < STEPS; step++) {
  const at = step / (STEPS - 1);
  const next = Math.max(ANCHORS.findIndex((anchor) => anchor[0] >= at), 1);
  const [low, high] = [ANCHORS[next - 1], ANCHORS[next]];
  const share = (at - low[0]) / (high[0] - low[0]);
  for (let channel = 0; channel < 3; channel++) {
    const from = (low[1 + channel] / 255) ** GAMMA;
    const to = (high[1 + channel] / 255) ** GAMMA;
    HEAT[3 * step + channel] = 255 * (from + share * (to - from)) ** (1 / GAMMA);
  }
}

// The step of the scale for a weight of 0 to 1.
export function stepOf(weight) {
  return Math.round(Math.min(Math.max(weight, 0), 1) * (STEPS - 1));
}

// Weights spread over 0 to 1 for the eye: the strongest hundredth saturates, and weights that hardly
// differ stay cold together.
export function displayWeights(weights) {
  const rising = Float64Array.from(weights).sort();
  const low = percentile(rising, 0.1);
  const mean = rising.reduce((sum, weight) => sum + Math.abs(weight), 0) / rising.length;
  const contrast = Math.max(percentile(rising, 0.99) - low, MIN_CONTRAST * mean, 1e-12);
  return Float32Array.from(weights, (weight) =>
    Math.min(Math.max((weight - low) / contrast, 0), 1) ** 0.7);
}

function percentile(rising, share) {
  const at = share * (rising.length - 1);
  const below = Math.floor(at);
  const above = Math.min(below + 1, rising.length - 1);
  return rising[below] + (at - below) * (rising[above] - rising[below]);
}

// One head's weights, or the mean of all: lists of numbers, nested as deep as they come.
export function headWeights(weights, head) {
  if (head !== "mean") return weights[head].flat(Infinity);
  const flat = weights.map((each) => each.flat(Infinity));
  return flat[0].map((_, i) => flat.reduce((sum, each) => sum + each[i], 0) / flat.length);
}
