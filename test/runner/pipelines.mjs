// Whole pipelines on tiny models through the library's own engine: token ids in, latents of every step and pixels out.
import { siteScales } from '../../dist/adapters/scales.js';
import { controlStrengths, controlWindow } from '../../dist/controls/strengths.js';
import { startOf } from '../../dist/init/start.js';
import { addon } from '../../dist/native/native.js';
import { schedule, schedulerConfig } from '../../dist/schedulers/index.js';
import { tensorsOf } from './cases.mjs';
import { numbers } from './read.mjs';
import { rms, worst } from './verdict.mjs';

/**
 * @typedef {import('./cases.mjs').Case} Case
 * @typedef {import('./verdict.mjs').Verdict} Verdict
 * @typedef {import('../../lib/native/types.js').Tensor} Tensor
 * @typedef {import('../../lib/native/types.js').NetworkHandle} NetworkHandle
 */

const SAMPLERS = {
  ddim: 'ddim',
  pndm: 'pndm',
  euler: 'euler',
  'euler-a': 'euler_ancestral',
  heun: 'heun',
  dpm2m: 'dpmpp_2m',
  'dpm2m-karras': 'dpmpp_2m', // the schedule is in the configuration
  'dpm2m-sde': 'dpmpp_2m_sde',
  unipc: 'unipc',
  lcm: 'lcm',
  tcd: 'tcd',
};
// Of every CLIP image encoder here.   source: transformers CLIPImageProcessor
const CLIP_PIXELS = { mean: [0.48145466, 0.4578275, 0.40821073], std: [0.26862954, 0.26130258, 0.27577711] };

/** An engine on one CPU level and the networks that cases name. */
export class PipelineEngine {
  /** @type {Map<string, Promise<NetworkHandle>>} */
  #networks = new Map();

  /** @param {string} level */
  constructor(level) {
    this.engine = new (addon().Engine)({ level, threads: 2 });
  }

  /** @param {Case} c @param {any} kind @param {string} prefix @param {NetworkHandle} [unet] */
  load(c, kind, prefix, unet) {
    const known = this.#networks.get(prefix);
    if (known) return known;
    const { tensors, factors, config } = c.folder.model(prefix);
    const source = { synthetic: prefix, tensors, ...(factors && { factors }) };
    const loading = this.engine.load({ kind, source, ...(config && { config }), ...(unet && { unet }) });
    this.#networks.set(prefix, loading);
    return loading;
  }

  close() {
    this.engine.close();
  }
}

/** @param {Tensor} like @returns {Tensor} */
const zeros = (like) => ({ shape: like.shape, data: new Float32Array(like.data.length) });

/** [1, h, w, C] as the reference's [C, h, w]. @param {Tensor} tensor */
const channelsFirst = ({ shape: [, height, width, channels], data }) => {
  const out = new Array(data.length);
  for (let p = 0; p < height * width; ++p)
    for (let c = 0; c < channels; ++c) out[c * height * width + p] = data[p * channels + c];
  return out;
};

/** Rows of a tensor [rows, width]. @param {ReadonlyMap<string, import('./read.mjs').Tensor>} tensors @param {string} key */
const rowsOf = (tensors, key) => {
  const all = numbers(tensors, key);
  const width = tensors.get(key)?.shape.at(-1) ?? 1;
  return Array.from({ length: all.length / width }, (_, i) => all.slice(i * width, (i + 1) * width));
};

/** An 8-bit picture [H, W, 3]. @param {ReadonlyMap<string, import('./read.mjs').Tensor>} tensors @param {string} key */
const picture = (tensors, key) => {
  const { shape, data } = tensors.get(key);
  return { width: shape[1], height: shape[0], data };
};

/** Layers left out at the end, of both prompts. The reference skips on the positive prompt only, unless the case says both. */
const clipSkip = (info) => {
  if (/last layer skipped on both prompts/.test(info.note)) return { positive: 1, negative: 1 };
  return { positive: info.arguments.clip_skip ?? 0, negative: 0 };
};

/**
 * Within the case's limit for what the engine computes with; of bf16 the relative L2 error is bounded too, by a quarter.
 * @param {string} what @param {readonly number[]} got @param {readonly number[]} want @param {Verdict} verdict
 */
const within = (what, got, want, info, dtype, verdict) => {
  const limit = info.tolerance[dtype];
  verdict.close(what, got, want, limit * rms(want));
  if (dtype === 'f32' || got.length !== want.length) return;
  const error = rms(got.map((value, i) => value - want[i])) / rms(want);
  verdict.close(`${what}, relative L2`, [error], [0], limit / 4);
};

/** Context and pooled text of one prompt; nothing where the case has no ids for it. */
const encoded = async (engine, encoders, tensors, prefix, skip) => {
  const chunks = tensors.has(`in/${prefix}chunks`) ? `in/${prefix}chunks` : `in/${prefix}ids`;
  if (!tensors.has(chunks)) return undefined;
  const weights = `in/${prefix}weights`;
  const two = encoders.length > 1;
  const inputs = encoders.map((network, i) => ({
    network,
    chunks: rowsOf(tensors, i === 0 ? chunks : `in/${prefix}ids_2`),
    ...(tensors.has(weights) && { weights: rowsOf(tensors, weights) }),
    skip,
    state: two ? 'penultimate' : 'last', // SDXL reads the last layer but one
    pooled: two && i === 1,
  }));
  return engine.encodeText(inputs, { emphasis: 'original' });
};

/** A prompt's numbers for sample(): text, negative text and, for SDXL, sizes. */
const conditioning = async (engine, encoders, tensors, info, size, verdict) => {
  const skip = clipSkip(info);
  const positive = await encoded(engine, encoders, tensors, '', skip.positive);
  checkContext(tensors, '', positive, info, engine.info.dtype, verdict);
  const {
    original_size: original = size,
    crops_coords_top_left: crop = [0, 0],
    target_size: target = size,
  } = info.arguments;
  const timeIds = encoders.length > 1 ? [...original, ...crop, ...target] : undefined;
  const given = { context: positive.context, pooled: positive.pooled, timeIds };
  if (!(info.arguments.guidance_scale > 1)) return given;
  // SDXL without a negative prompt: zeros in the place of both.
  const negative = (await encoded(engine, encoders, tensors, 'negative_', skip.negative)) ?? {
    context: zeros(positive.context),
    pooled: positive.pooled && zeros(positive.pooled),
  };
  checkContext(tensors, 'negative_', negative, info, engine.info.dtype, verdict);
  return { ...given, negativeContext: negative.context, negativePooled: negative.pooled, negativeTimeIds: timeIds };
};

/** Ready embeddings that a case holds beside its chunks. */
const checkContext = (tensors, prefix, text, info, dtype, verdict) => {
  const key = `in/${prefix}context`;
  if (!tensors.has(key)) return;
  within(key, Array.from(text.context.data), numbers(tensors, key), info, dtype, verdict);
};

/** Features and identities of one adapter's references: [without the reference, with it]. */
const references = async (pipeline, c, tensors, adapter, index, count) => {
  const { encoderOutput, identityWidth } = adapter.info;
  const embeds = `in/embeds.${index}`;
  const [without, identity] =
    identityWidth > 0 && tensors.has(embeds) ? rowsOf(tensors, embeds).map((row) => [Float32Array.from(row)]) : [];
  if (encoderOutput === 'none') return [{ identities: without }, { identities: identity }];
  const vision = await pipeline.load(c, 'clip_vision', c.info.weights.vision);
  const keys = [...tensors.keys()].filter((key) => key.startsWith('in/reference.')).sort();
  const pictures = (count === 1 ? keys : [keys[index]]).map((key) => picture(tensors, key));
  const how = { output: encoderOutput, size: c.info.preprocess?.crop ?? vision.info.image, ...CLIP_PIXELS };
  const features = await pipeline.engine.encodeImages(vision, pictures, how);
  // The side without a reference: a zero vector, or what the encoder makes of pixels that are all zero.
  const empty =
    encoderOutput === 'image_embeds'
      ? features.map(zeros)
      : await pipeline.engine.encodeImages(
          vision,
          pictures.map(() => null),
          how,
        );
  return [
    { features: empty, identities: without },
    { features, identities: identity },
  ];
};

/** FaceID Plus: v2 adds the identity's own tokens ("shortcut True"), weighted against the structure of the face. */
const structureScale = (note = '') => {
  const said = /shortcut (True|False), s_scale ([\d.]+)/.exec(note);
  return said?.[1] === 'True' ? { structureScale: Number(said[2]) } : {};
};

/** What is white of mask `index` of [masks, 1, H, W], as the reference of every pipeline (diffusers) takes it. */
const regionMask = (tensors, index) => {
  const masks = tensors.get('in/masks');
  if (!masks) return undefined;
  const [, , height, width] = masks.shape;
  const data = Float32Array.from(part(numbers(tensors, 'in/masks'), index, masks.shape[0]));
  return { data, width, height, mode: 'diffusers' };
};

/** One image prompt of sample() per adapter. */
const imagePrompts = async (pipeline, c, tensors, unet) => {
  const { info } = c;
  const prefixes = info.weights.adapters ?? [];
  const prompts = [];
  const loras = [];
  for (const [i, prefix] of prefixes.entries()) {
    const adapter = await pipeline.load(c, 'adapter', prefix, unet);
    const [without, given] = await references(pipeline, c, tensors, adapter, i, prefixes.length);
    const project = (side) => pipeline.engine.project(adapter, { ...side, ...structureScale(info.note) }, {});
    // scales of their own for every step take the place of the one for all
    const scale = info.scale_per_step ? 1 : Array.isArray(info.scale) ? info.scale[i] : info.scale;
    prompts.push({
      adapter,
      tokens: await project(given),
      ...(info.arguments.guidance_scale > 1 && { negativeTokens: await project(without) }),
      scales: siteScales(scale, unet.info.sites, 'scale'),
      window: info.scale_per_step ?? new Array(info.steps).fill(1),
      mask: regionMask(tensors, i),
    });
    if (adapter.info.loraRank > 0) loras.push({ lora: adapter, strength: 1 }); // the LoRA inside FaceID adapters
  }
  await pipeline.engine.setLoras(unet, loras, {});
  return prompts;
};

/** One control of sample() where the case has a ControlNet; both say what acts in a step as the library does. */
const controls = async (pipeline, c, tensors, unet) => {
  const { info } = c;
  if (info.weights.controlnet === undefined) return [];
  const network = await pipeline.load(c, 'control', info.weights.controlnet, unet);
  const {
    controlnet_conditioning_scale: scale,
    control_guidance_start: start,
    control_guidance_end: end,
  } = info.arguments;
  const { strengths, conditionalOnly } = controlStrengths(network.info, { scale, mode: 'balanced' });
  const { data, shape } = tensors.get('in/hint');
  return [
    {
      network,
      image: { width: shape[1], height: shape[0], data },
      strengths,
      conditionalOnly,
      window: controlWindow(info.steps, { start, end }),
    },
  ];
};

/** Part `index` of a tensor whose first dimension counts pictures. */
const part = (values, index, count) => {
  const size = values.length / count;
  return values.slice(index * size, (index + 1) * size);
};

/** What a run of these sizes begins with, where that is a picture. @param {Case} c */
const initOf = async (pipeline, c, vae, unet, plan, size) => {
  const tensors = tensorsOf(c);
  if (!tensors.has('in/image')) return undefined;
  const { engine } = pipeline;
  const mask = tensors.get('in/mask');
  const { scaling_factor: scalingFactor } = c.folder.model(c.info.weights.vae).config;
  const prepared = await engine.prepareInit(picture(tensors, 'in/image'), {
    ...size,
    factor: vae.info.factor,
    ...(mask && { mask: { width: mask.shape[1], height: mask.shape[0], data: mask.data } }),
  });
  return startOf(
    { engine, vae, scalingFactor, readsMask: unet.info.inChannels !== vae.info.latentChannels },
    prepared,
    {
      schedule: plan,
      strength: c.info.arguments.strength,
      posterior: 'sample',
      fill: 'original',
    },
  );
};

/** @param {Case} c @param {Verdict} verdict @param {PipelineEngine} pipeline */
const checkPipeline = async (c, verdict, pipeline) => {
  const { info } = c;
  const tensors = tensorsOf(c);
  const { engine } = pipeline;
  const unet = await pipeline.load(c, 'unet', info.weights.unet);
  const vae = await pipeline.load(c, 'vae', info.weights.vae);
  const names = [info.weights.text, info.weights.text_2].filter((prefix) => prefix !== undefined);
  const encoders = await Promise.all(names.map((prefix) => pipeline.load(c, 'clip_text', prefix)));

  const sampler = SAMPLERS[info.sampler];
  if (!sampler) return verdict.fault(`no sampler is called ${info.sampler}`);
  const { strength } = info.arguments;
  const plan = schedule(sampler, schedulerConfig(info.scheduler_config, info.id), info.steps, { strength });
  // a case from a picture may leave its size to the picture
  const [pictureHeight, pictureWidth] = tensors.get('in/image')?.shape ?? [];
  const { height = pictureHeight, width = pictureWidth } = info.arguments;
  const prompts = await imagePrompts(pipeline, c, tensors, unet);
  const spec = {
    unet,
    width: width / vae.info.factor,
    height: height / vae.info.factor,
    init: await initOf(pipeline, c, vae, unet, plan, { width, height }),
    rows: plan.rows,
    initNoiseSigma: plan.initNoiseSigma,
    ...(await conditioning(engine, encoders, tensors, info, [height, width], verdict)),
    guidanceScale: info.arguments.guidance_scale,
    guidanceRescale: info.arguments.guidance_rescale ?? 0,
    prompts,
    controls: await controls(pipeline, c, tensors, unet),
    keepSteps: true,
  };
  const count = tensors.get('out/latents').shape[0];
  const { scaling_factor: scalingFactor } = c.folder.model(info.weights.vae).config;
  for (let i = 0; i < count; ++i) {
    const seeds = [info.seed].flat();
    const own = seeds.length > 1; // a list: one generator per picture
    const result = await engine.sample({
      ...spec,
      seed: BigInt(own ? seeds[i] : seeds[0]),
      ...(!own && { batch: { index: i, count } }),
    });
    const close = (key, got) =>
      within(`${key} of picture ${i}`, got, part(numbers(tensors, key), i, count), info, engine.info.dtype, verdict);
    const steps = [...tensors.keys()].filter((key) => key.startsWith('tap/step.'));
    verdict.require(
      steps.length === 0 || steps.length === result.steps.length,
      `${result.steps.length} network calls, expected ${steps.length}`,
    );
    for (const key of steps) close(key, channelsFirst(result.steps[Number(key.slice('tap/step.'.length))]));
    close('out/latents', channelsFirst(result.latents));
    if (!tensors.has('out/pixels')) continue;
    const pixels = await engine.decode(vae, result.latents, { scalingFactor });
    const drawn = Array.from(pixels.data);
    if (engine.info.dtype !== 'f32') {
      close('out/pixels', drawn);
      continue;
    }
    const { difference } = worst(drawn, part(numbers(tensors, 'out/pixels'), i, count));
    verdict.require(difference <= 1, `out/pixels of picture ${i} differ by ${difference} steps, at most 1 is allowed`);
  }
};

export const checks = {
  pipeline: checkPipeline,
  'pipeline/controlnet': checkPipeline,
  'pipeline/masks': checkPipeline,
  'pipeline/image-to-image': checkPipeline,
  'pipeline/inpaint': checkPipeline,
};
