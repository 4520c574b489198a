// A seeded data set of drawn digits for the bundled demo model. Every digit is a few strokes given by control points;
// each image jitters the points, maps them through a random affine transform, draws them with a round pen and adds
// noise.
//
// Only + - * / and Math.sqrt are used, which IEEE 754 rounds correctly, and the pixels are rounded to multiples of
// 1/255: a seed gives the same images on every engine.

export const SIZE = 24;
export const PIXELS = SIZE * SIZE;
export const CLASSES = 10;

type Point = readonly [x: number, y: number];
type Stroke = { readonly smooth: boolean; readonly points: readonly Point[] };
type Glyph = readonly Stroke[];
type Random = () => number;
type Segment = { x0: number; y0: number; x1: number; y1: number };

/** Reads points written as in SVG: "x,y x,y". */
function parsePoints(text: string): Point[] {
  return text.split(" ").map((pair) => {
    const [x, y] = pair.split(",");
    return [Number(x), Number(y)];
  });
}

const line = (points: string): Stroke => ({ smooth: false, points: parsePoints(points) });
const curve = (points: string): Stroke => ({ smooth: true, points: parsePoints(points) });

// Glyph coordinates: x to the right and y down, the digit about 1.2 wide and 2 high around the origin. The entries of
// a digit are the ways people write it; one is picked per image.
const GLYPHS: readonly (readonly Glyph[])[] = [
  [
    [curve("0.1,-1 -0.4,-0.7 -0.55,0 -0.4,0.7 0,1 0.4,0.7 0.55,0 0.4,-0.7 0,-1")],
    [curve("0,-0.9 -0.6,-0.5 -0.7,0.2 -0.2,0.85 0.4,0.7 0.7,0 0.5,-0.65 -0.1,-0.9")],
  ],
  [[line("-0.35,-0.55 0.05,-1 0.05,1")], [line("0,-1 0,1")], [line("-0.3,-0.65 0.05,-1 0.05,1"), line("-0.4,1 0.5,1")]],
  [
    [curve("-0.5,-0.55 -0.3,-0.92 0.1,-1 0.48,-0.6 0.3,-0.05 -0.15,0.45 -0.55,0.95"), line("-0.55,0.95 0.6,0.95")],
    [curve("-0.5,-0.7 0,-1 0.45,-0.6 0.2,0.1 -0.3,0.8 -0.6,0.8 -0.4,0.55 0,0.8 0.6,0.9")],
  ],
  [
    [curve("-0.5,-0.75 0,-1 0.45,-0.6 0.3,-0.2 -0.15,-0.05"), curve("-0.15,-0.05 0.4,0.1 0.55,0.5 0.1,1 -0.55,0.75")],
    [line("-0.5,-0.95 0.45,-0.95 -0.05,-0.2"), curve("-0.05,-0.2 0.4,0 0.55,0.45 0.1,0.98 -0.55,0.75")],
  ],
  [
    [line("0.2,-1 -0.6,0.35 0.65,0.35"), line("0.3,-0.3 0.25,1")],
    [line("0.3,1 0.3,-1 -0.6,0.35 0.65,0.35")],
    [line("-0.45,-0.9 -0.5,0.1 0.5,0.1"), line("0.45,-0.95 0.4,1")],
  ],
  [
    [line("0.5,-0.95 -0.4,-0.95 -0.45,-0.1"), curve("-0.45,-0.1 0.1,-0.3 0.55,0.2 0.35,0.8 -0.1,1 -0.55,0.75")],
    [curve("0.5,-0.9 -0.3,-0.9 -0.4,-0.2 0.2,-0.15 0.5,0.35 0.2,0.9 -0.5,0.85")],
  ],
  [
    [curve("0.4,-0.95 -0.1,-0.65 -0.5,0.1 -0.4,0.75 0.05,1 0.5,0.6 0.3,0.1 -0.1,0.05 -0.45,0.4")],
    [curve("-0.2,-1 -0.45,-0.3 -0.45,0.5 -0.05,0.98 0.45,0.7 0.35,0.2 -0.1,0.15 -0.4,0.5")],
  ],
  [
    [line("-0.55,-0.95 0.55,-0.95 -0.1,1")],
    [line("-0.55,-0.95 0.55,-0.95 -0.1,1"), line("-0.3,0.05 0.45,0.05")],
    [curve("-0.55,-0.75 -0.2,-0.9 0.5,-0.9 0.25,-0.1 0,1")],
  ],
  [
    [curve("0.35,-0.75 0,-1 -0.4,-0.65 0,-0.05 0.5,0.5 0,1 -0.5,0.5 0,-0.05 0.4,-0.65 0.1,-0.95")],
    [curve("0,-0.05 -0.4,-0.5 0,-1 0.4,-0.5 0,-0.05"), curve("0,-0.05 -0.5,0.45 0,1 0.5,0.45 0,-0.05")],
  ],
  [
    [curve("0.45,-0.5 0.1,-0.1 -0.35,-0.2 -0.45,-0.65 -0.05,-1 0.4,-0.8 0.45,-0.3 0.35,0.4 0.05,1")],
    [curve("0.4,-0.6 0,-0.98 -0.45,-0.6 -0.1,-0.1 0.4,-0.45"), curve("0.42,-0.85 0.4,0 0.35,0.6 0,0.95 -0.45,0.8")],
  ],
];

const HALF_HEIGHT = 8.5; // pixels from the origin of glyph coordinates to y = 1, before scaling
const CURVE_STEPS = 4; // straight segments between two control points of a smooth stroke

/** xorshift128: a period long enough that the streams of two seeds do not run into each other. */
function createRandom(seed: number): Random {
  let a = (seed | 0) ^ 0x2545f491;
  let b = Math.imul(seed | 0, 0x6c078965) ^ 0x5f356495;
  let c = 0x32f2a9d3; // a constant keeps the state from being all zero
  let d = Math.imul((seed | 0) + 0x1f83d9ab, 0x41c64e6d);
  const next = (): number => {
    let t = a ^ (a << 11);
    t ^= t >>> 8;
    a = b;
    b = c;
    c = d;
    d = d ^ (d >>> 19) ^ t;
    return (d >>> 8) / 0x1000000;
  };
  // Close seeds give close states: run until they have nothing in common.
  for (let i = 0; i < 64; i++) next();
  return next;
}

const uniform = (random: Random, low: number, high: number): number => low + (high - low) * random();

/** Zero mean, unit variance, within +-3: near enough to a normal variate without a logarithm. */
const bell = (random: Random): number => 2 * (random() + random() + random() - 1.5);

/** Maps glyph coordinates to pixels: shear, scale, rotation, shift. */
function randomAffine(random: Random): (point: Point) => Point {
  const height = HALF_HEIGHT * uniform(random, 0.68, 1.08);
  const width = height * uniform(random, 0.7, 1.3);
  const shear = uniform(random, -0.35, 0.35);
  // With t the tangent of half the angle, sine and cosine are rational.
  const t = uniform(random, -0.17, 0.17);
  const cos = (1 - t * t) / (1 + t * t);
  const sin = (2 * t) / (1 + t * t);
  const shiftX = SIZE / 2 + uniform(random, -2.5, 2.5);
  const shiftY = SIZE / 2 + uniform(random, -2.5, 2.5);
  return ([gx, gy]) => {
    const x = width * (gx - shear * gy);
    const y = height * gy;
    return [cos * x - sin * y + shiftX, sin * x + cos * y + shiftY];
  };
}

/** The Catmull-Rom spline through the points; its end points count twice. */
function smoothen(points: readonly Point[]): Point[] {
  const path = points.slice(0, 1);
  for (let i = 0; i + 1 < points.length; i++) {
    const from = points[i] as Point;
    const to = points[i + 1] as Point;
    const before = points[i - 1] ?? from;
    const after = points[i + 2] ?? to;
    for (let step = 1; step <= CURVE_STEPS; step++) {
      const t = step / CURVE_STEPS;
      const at = (axis: 0 | 1): number => {
        const linear = to[axis] - before[axis];
        const square = 2 * before[axis] - 5 * from[axis] + 4 * to[axis] - after[axis];
        const cube = 3 * (from[axis] - to[axis]) + after[axis] - before[axis];
        return from[axis] + 0.5 * t * (linear + t * (square + t * cube));
      };
      path.push([at(0), at(1)]);
    }
  }
  return path;
}

function toSegments(glyph: Glyph, random: Random): Segment[] {
  const toPixels = randomAffine(random);
  const wobble = uniform(random, 0.05, 0.17);
  const segments: Segment[] = [];
  for (const { smooth, points } of glyph) {
    const moved = points.map(([x, y]) => toPixels([x + wobble * bell(random), y + wobble * bell(random)]));
    const path = smooth ? smoothen(moved) : moved;
    for (let i = 0; i + 1 < path.length; i++) {
      const [x0, y0] = path[i] as Point;
      const [x1, y1] = path[i + 1] as Point;
      segments.push({ x0, y0, x1, y1 });
    }
  }
  return segments;
}

/** A short scratch that belongs to no digit, anywhere in the image. */
function scratch(random: Random): Segment {
  const x0 = uniform(random, 0, SIZE);
  const y0 = uniform(random, 0, SIZE);
  return { x0, y0, x1: x0 + uniform(random, -7, 7), y1: y0 + uniform(random, -7, 7) };
}

function distance(x: number, y: number, { x0, y0, x1, y1 }: Segment): number {
  const dx = x1 - x0;
  const dy = y1 - y0;
  const squaredLength = dx * dx + dy * dy;
  const along = squaredLength === 0 ? 0 : ((x - x0) * dx + (y - y0) * dy) / squaredLength;
  const t = Math.min(1, Math.max(0, along));
  const ex = x - x0 - t * dx;
  const ey = y - y0 - t * dy;
  return Math.sqrt(ex * ex + ey * ey);
}

/** Draws with a round pen: full ink inside the radius, fading out over one pixel. Strokes that cross do not add up. */
function drawSegment(image: Float32Array, segment: Segment, radius: number, ink: number): void {
  const { x0, y0, x1, y1 } = segment;
  const reach = radius + 1;
  const left = Math.max(0, Math.floor(Math.min(x0, x1) - reach));
  const right = Math.min(SIZE - 1, Math.ceil(Math.max(x0, x1) + reach));
  const top = Math.max(0, Math.floor(Math.min(y0, y1) - reach));
  const bottom = Math.min(SIZE - 1, Math.ceil(Math.max(y0, y1) + reach));
  for (let y = top; y <= bottom; y++) {
    for (let x = left; x <= right; x++) {
      const cover = Math.min(1, Math.max(0, radius + 0.5 - distance(x + 0.5, y + 0.5, segment)));
      const pixel = y * SIZE + x;
      image[pixel] = Math.max(image[pixel] as number, ink * cover);
    }
  }
}

function drawDigit(image: Float32Array, digit: number, random: Random): void {
  const variants = GLYPHS[digit] as readonly Glyph[];
  const glyph = variants[Math.floor(random() * variants.length)] as Glyph;
  const radius = uniform(random, 0.5, 1.4);
  const ink = uniform(random, 0.4, 1);
  for (const segment of toSegments(glyph, random)) drawSegment(image, segment, radius, ink);
  const scratches = Math.floor(random() * 3);
  for (let i = 0; i < scratches; i++) {
    drawSegment(image, scratch(random), uniform(random, 0.4, 1), ink * uniform(random, 0.5, 1));
  }
}

function addNoise(image: Float32Array, random: Random): void {
  const background = uniform(random, 0, 0.2);
  const strength = uniform(random, 0.03, 0.16);
  for (const [i, ink] of image.entries()) {
    const value = background + (1 - background) * ink + strength * bell(random);
    image[i] = Math.round(255 * Math.min(1, Math.max(0, value))) / 255;
  }
}

/**
 * Draws `count` labelled images, row-major, values 0..1. The digits take turns, so every class is equally frequent;
 * a larger count only appends.
 */
export function drawDigits(seed: number, count: number): { images: Float32Array; labels: Uint8Array } {
  const random = createRandom(seed);
  const images = new Float32Array(count * PIXELS);
  const labels = new Uint8Array(count);
  for (let i = 0; i < count; i++) {
    const image = images.subarray(i * PIXELS, (i + 1) * PIXELS);
    const digit = i % CLASSES;
    labels[i] = digit;
    drawDigit(image, digit, random);
    addNoise(image, random);
  }
  return { images, labels };
}
