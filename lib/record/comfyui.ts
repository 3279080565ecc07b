import { foreignName } from '../schedulers/names.js';
import type { ForeignSettings } from './a1111.js';

// ComfyUI writes its graph as PNG text "prompt": { id: { class_type, inputs: { name: value or [id, output] } } }.
// source: ComfyUI, execution.py and nodes.py. Anybody can write such a text: links may lead round in circles or nowhere.

type Inputs = Readonly<Record<string, unknown>>;
interface Node {
  readonly id: string;
  readonly type: string;
  readonly inputs: Inputs;
}
type Graph = ReadonlyMap<string, Node>;

const MOST_NODES = 2_000;
const MOST_STEPS = 200; // of one way through the graph
const MOST_TEXT = 100_000; // characters

const isFields = (value: unknown): value is Inputs =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const graphOf = (text: string): Graph | undefined => {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isFields(json)) return undefined;
  const nodes = new Map<string, Node>();
  for (const [id, node] of Object.entries(json).slice(0, MOST_NODES)) {
    if (!isFields(node) || typeof node.class_type !== 'string' || !isFields(node.inputs)) continue;
    nodes.set(id, { id, type: node.class_type.slice(0, 100), inputs: node.inputs });
  }
  return nodes.size > 0 ? nodes : undefined;
};

const own = (inputs: Inputs, name: string): unknown => (Object.hasOwn(inputs, name) ? inputs[name] : undefined);

/** The node that an input is linked to. */
const linked = (graph: Graph, value: unknown): Node | undefined =>
  Array.isArray(value) && value.length === 2 ? graph.get(String(value[0])) : undefined;

/** The first node that is wanted on the way against the arrows through inputs of these names. */
const upstream = (
  graph: Graph,
  from: unknown,
  through: readonly string[],
  isWanted: (node: Node) => boolean,
): Node | undefined => {
  const seen = new Set<string>();
  const waiting = [linked(graph, from)];
  while (waiting.length > 0 && seen.size < MOST_STEPS) {
    const node = waiting.shift();
    if (!node || seen.has(node.id)) continue;
    if (isWanted(node)) return node;
    seen.add(node.id);
    for (const name of through) waiting.push(linked(graph, own(node.inputs, name)));
  }
  return undefined;
};

/** A value that stands in the node, or in a node of one value (a primitive) that it is linked to. */
const inputValue = (graph: Graph, node: Node, ...names: readonly string[]): unknown => {
  for (const name of names) {
    const value = own(node.inputs, name);
    const source = linked(graph, value);
    if (source === undefined && value !== undefined && !Array.isArray(value)) return value;
    const values = source ? Object.values(source.inputs).filter((it) => typeof it !== 'object') : [];
    if (values.length === 1) return values[0];
  }
  return undefined;
};

const SAMPLERS: Readonly<Record<string, { readonly seed: string }>> = {
  KSampler: { seed: 'seed' },
  KSamplerAdvanced: { seed: 'noise_seed' },
};
const isText = ({ type }: Node): boolean => /^CLIPTextEncode/.test(type);
const isLatent = ({ type }: Node): boolean => /^(Empty\w*LatentImage|VAEEncode\w*)$/.test(type);
const isLora = ({ type }: Node): boolean => /^LoraLoader(ModelOnly)?$/.test(type);
/** Inputs by which conditioning passes on: of ControlNets, of areas and masks, of nodes that join two. */
const CONDITIONING = ['conditioning', 'conditioning_to', 'conditioning_1', 'conditioning_from'];
const LATENTS = ['samples', 'latent_image', 'latent', 'pixels'];
const BESIDE = /IPAdapter|ControlNet|T2I|InstantID|PhotoMaker|LoadImage|ModelSampling|FreeU|Upscale|Conditioning/i;

const isWhole = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
const isNumber = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value);

/** Seeds to 2⁶⁴ − 1 lose digits as JSON's numbers: they are read from the text. */
const seedIn = (text: string, node: Node, name: string, value: unknown): bigint | undefined => {
  if (isWhole(value)) return BigInt(value);
  if (!isNumber(value) || value < 0) return undefined;
  const found = [...text.matchAll(new RegExp(`"${name}"\\s*:\\s*(\\d{16,20})(?=\\s*[,}])`, 'g'))].map(
    ([, digits]) => digits!,
  );
  const same = found.filter((digits) => Number(digits) === own(node.inputs, name));
  const [first] = same;
  if (first === undefined || same.some((digits) => digits !== first)) return undefined;
  const seed = BigInt(first);
  return seed < 2n ** 64n ? seed : undefined;
};

class Reader {
  readonly options: Record<string, unknown> = { promptSyntax: 'comfyui' };
  readonly notTaken: string[] = [];

  constructor(
    readonly graph: Graph,
    readonly text: string,
  ) {}

  take(option: string, name: string, value: unknown, isGood: (value: unknown) => boolean): void {
    if (value === undefined) return;
    if (isGood(value)) this.options[option] = value;
    else this.lists(name, value);
  }

  lists(name: string, value: unknown): void {
    this.notTaken.push(`${name}: ${(JSON.stringify(value) ?? 'nothing').slice(0, 200)}`);
  }

  /** The words of one side. */
  prompt(option: string, sampler: Node, side: string): void {
    const node = upstream(this.graph, own(sampler.inputs, side), [side, ...CONDITIONING], isText);
    const words = node && inputValue(this.graph, node, 'text', 'text_g', 'text_l');
    if (typeof words === 'string' && words.length <= MOST_TEXT) this.options[option] = words;
    else this.lists(`${sampler.type}.${side}`, node ? words : 'no CLIPTextEncode leads to it');
  }

  sampler(node: Node): void {
    const value = (...names: readonly string[]): unknown => inputValue(this.graph, node, ...names);
    this.prompt('prompt', node, 'positive');
    this.prompt('negativePrompt', node, 'negative');
    this.take('steps', 'steps', value('steps'), isWhole);
    this.take('guidanceScale', 'cfg', value('cfg'), isNumber);
    const { seed: name } = SAMPLERS[node.type]!;
    const given = value(name);
    const seed = seedIn(this.text, node, name, given);
    if (seed === undefined) this.lists(name, given);
    else Object.assign(this.options, { seed, noise: 'comfyui' });
    for (const [option, from] of [
      ['sampler', 'sampler_name'],
      ['schedule', 'scheduler'],
    ] as const) {
      const said = value(from);
      const { nearest, ...exact } = (typeof said === 'string' && foreignName(option, said)) || {
        nearest: true as const,
      };
      if (nearest) this.lists(from, said);
      else Object.assign(this.options, exact);
    }
    const denoise = value('denoise');
    if (denoise !== undefined && denoise !== 1) this.lists('denoise', denoise);
    for (const from of ['start_at_step', 'end_at_step', 'add_noise', 'return_with_leftover_noise']) {
      const said = value(from);
      const isUsual =
        said === undefined || said === 0 || (from === 'end_at_step' && isWhole(said) && said >= Number(value('steps')));
      if (!isUsual && said !== (from === 'add_noise' ? 'enable' : 'disable')) this.lists(from, said);
    }
    this.latent(upstream(this.graph, own(node.inputs, 'latent_image'), LATENTS, isLatent));
    this.loras(node);
  }

  latent(node: Node | undefined): void {
    if (!node?.type.startsWith('Empty')) {
      this.lists('latent_image', node?.type ?? 'nothing');
      return;
    }
    this.take('width', 'width', inputValue(this.graph, node, 'width'), isWhole);
    this.take('height', 'height', inputValue(this.graph, node, 'height'), isWhole);
    const count = inputValue(this.graph, node, 'batch_size');
    if (count !== undefined && count !== 1) this.lists('batch_size', count);
  }

  /** LoRAs of the model that samples: they are files, which the caller attaches. */
  loras(sampler: Node): void {
    const seen = new Set<string>();
    let from = own(sampler.inputs, 'model');
    for (let i = 0; i < MOST_STEPS; ++i) {
      const node = upstream(this.graph, from, ['model'], isLora);
      if (!node || seen.has(node.id)) return;
      seen.add(node.id);
      const { lora_name: name, strength_model: unet, strength_clip: text = 0 } = node.inputs;
      const stem = typeof name === 'string' ? name.replace(/^.*[\\/]|\.\w+$/g, '').slice(0, 200) : '?';
      this.notTaken.push(`<lora:${stem}:${isNumber(text) ? text : '?'}:${isNumber(unet) ? unet : '?'}>`);
      from = own(node.inputs, 'model');
    }
  }
}

/** Reads ComfyUI's graph: its first sampler, and what leads to it. Undefined where the text is none, or has no sampler. */
export const fromGraph = (text: string): ForeignSettings | undefined => {
  const graph = graphOf(text);
  if (!graph) return undefined;
  const nodes = [...graph.values()];
  const samplers = nodes.filter(({ type }) => Object.hasOwn(SAMPLERS, type));
  // that of the first pass: a second one goes on with the latents of another
  const first = samplers.find((one) => {
    const isSampler = ({ type }: Node): boolean => Object.hasOwn(SAMPLERS, type);
    return !upstream(graph, own(one.inputs, 'latent_image'), LATENTS, isSampler);
  });
  if (!first) return undefined;
  const reader = new Reader(graph, text);
  reader.sampler(first);
  for (const node of samplers) if (node !== first) reader.lists(`${node.type} ${node.id}`, 'a further pass');
  for (const node of nodes) {
    const file = own(node.inputs, 'ckpt_name');
    if (typeof file === 'string') reader.lists(node.type, file);
    else if (BESIDE.test(node.type)) reader.lists(node.type, node.id);
  }
  return { options: reader.options, notTaken: reader.notTaken };
};
