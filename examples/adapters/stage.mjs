// What the examples share: the bundled model, one run of it, and a sheet of what came out. Give paths of your own model and
// adapters in place of `model` to try them with real weights.
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { defaultModel, Pipeline } from 'node-ip-adapter';
import sharp from 'sharp';

export const model = defaultModel();

/** A reference picture of one of eight people, three each. */
export const person = (number, picture = 1) =>
  join(dirname(model.path), 'references', `person-${number}-${picture}.png`);

/** Same prompt and seed for every picture: what differs is what the example shows. */
export const scene = {
  prompt: 'portrait of a person, smiling, wearing a green hoodie, yellow background',
  seed: 3,
};

export const open = () => Pipeline.load(model.path);

/** Attaches a bundled adapter: base, plus, faceid, faceid-plusv2 or faceid-portrait. */
export const attach = (pipe, name) =>
  pipe.addAdapter(model.adapters[name], { encoder: model.encoder, face: model.face, name });

export const draw = async (pipe, references, more = {}) => {
  const { images } = await pipe.generate({ ...scene, ...more, references });
  return images[0];
};

/** Mean difference of two pictures, in grey levels. */
export const difference = (a, b) =>
  a.data.reduce((sum, value, i) => sum + Math.abs(value - b.data[i]), 0) / a.data.length;

/** The example works: its picture is unlike the one without it, by more than `least` grey levels. */
export const expectUnlike = (picture, without, what, least = 2) => {
  const mean = difference(picture, without);
  assert.ok(mean > least, `${what}: mean difference ${mean.toFixed(2)} of 255`);
  console.log(`${what}: ${mean.toFixed(1)} grey levels away`);
};

/** The same to rounding: within `most` grey levels. */
export const expectAlike = (picture, other, what, most = 0.1) => {
  const mean = difference(picture, other);
  assert.ok(mean < most, `${what}: mean difference ${mean.toFixed(2)} of 255`);
  console.log(`${what}: the same`);
};

const SIDE = 128;

const out = () => {
  const folder = process.env.EXAMPLES_OUT ?? join(dirname(fileURLToPath(import.meta.url)), 'out');
  mkdirSync(folder, { recursive: true });
  return folder;
};

/** Raw pixels as a file beside the sheets, as pictures and masks of users are. */
export const filed = async (name, { data, width, height, channels }) => {
  const file = join(out(), `${name}.png`);
  await sharp(data, { raw: { width, height, channels } }).png().toFile(file);
  return file;
};

/** Writes pictures side by side; a picture is a path or what was drawn. */
export const sheet = async (name, pictures) => {
  const folder = out();
  const tiles = await Promise.all(
    pictures.map(async (picture, i) => ({
      input: await (typeof picture === 'string' ? sharp(picture) : picture.toSharp())
        .resize(SIDE, SIDE, { fit: 'cover' })
        .png()
        .toBuffer(),
      left: i * (SIDE + 4),
      top: 0,
    })),
  );
  const width = tiles.length * (SIDE + 4) - 4;
  const file = join(folder, `${name}.png`);
  await sharp({ create: { width, height: SIDE, channels: 3, background: 'white' } })
    .composite(tiles)
    .png({ palette: true })
    .toFile(file);
  console.log(file);
  const { EXAMPLES_AFTER: after } = process.env; // what tests do with the pictures
  if (after) await (await import(after)).default(name, folder, pictures);
};
