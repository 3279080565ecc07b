import { access } from 'node:fs/promises';
import { extname, resolve } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import {
  type Adapter,
  defaultModel,
  foreignName,
  type GenerateOptions,
  inspect,
  type LoadOptions,
  OptionError,
  Pipeline,
  type Reference,
  samplers,
  schedules,
} from '../index.js';
import { print, printJson, say } from './output.js';
import { progress } from './progress.js';
import { type ReferenceFlags, ReferenceList } from './references.js';

interface Flags {
  readonly prompt: string;
  readonly negativePrompt?: string;
  readonly model?: string;
  readonly encoder?: string;
  readonly detector?: string;
  readonly recognizer?: string;
  readonly lora?: readonly string[];
  readonly size?: readonly [number, number];
  readonly steps?: number;
  readonly guidanceScale?: number;
  readonly seed?: bigint;
  readonly count?: number;
  readonly sampler?: GenerateOptions['sampler'];
  readonly schedule?: GenerateOptions['schedule'];
  readonly clipSkip?: number;
  readonly dtype?: LoadOptions['dtype'];
  readonly threads?: number;
  readonly out: string;
  readonly overwrite?: boolean;
  readonly metadata: boolean;
  readonly json?: boolean;
}

const number = (text: string): number => {
  const value = Number(text);
  if (text.trim() === '' || Number.isNaN(value)) throw new InvalidArgumentError('Expected a number.');
  return value;
};

const seed = (text: string): bigint => {
  if (text.trim() === '-1') throw new InvalidArgumentError('-1 means random elsewhere: leave --seed out.');
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('Expected a whole number from 0 to 2^64 - 1.');
  return BigInt(text);
};

const size = (text: string): [number, number] => {
  const found = /^(\d+)x(\d+)$/.exec(text);
  if (!found) throw new InvalidArgumentError('Expected WIDTHxHEIGHT, such as 512x768.');
  return [Number(found[1]), Number(found[2])];
};

/** Takes one of the names; another tool's name is answered with the flags to give. */
const named =
  <T extends string>(option: 'sampler' | 'schedule', names: readonly T[]) =>
  (text: string): T => {
    const found = names.find((name) => name === text);
    if (found !== undefined) return found;
    const { nearest, ...here } = foreignName(option, text) ?? {};
    const flags = Object.entries(here).map(([name, value]) => `--${name} ${value}`);
    const why = nearest ? 'It is not in this version; the nearest is' : 'Give';
    throw new InvalidArgumentError(
      flags.length > 0 ? `${why} ${flags.join(' ')}` : `Allowed choices are ${names.join(', ')}.`,
    );
  };

const collect = (value: string, before: readonly string[] = []): string[] => [...before, value];

/** "portrait.png" for the first picture, "portrait-2.png" for the second. */
const fileOf = (out: string, index: number): string => {
  if (index === 0) return resolve(out);
  const end = extname(out);
  return resolve(`${out.slice(0, out.length - end.length)}-${index + 1}${end}`);
};

const pickFace = (text: string | undefined): Reference['pickFace'] =>
  text === undefined ? undefined : /^\d+$/.test(text) ? Number(text) : (text as Reference['pickFace']);

const scale = (text: string | undefined): Reference['scale'] =>
  text === undefined ? undefined : Number.isNaN(Number(text)) ? (text as Reference['scale']) : Number(text);

/** Attaches the adapter of every group once; a name of the bundled family or a file. */
const attach = async (pipe: Pipeline, groups: readonly ReferenceFlags[], flags: Flags): Promise<Reference[]> => {
  const family = flags.model ? undefined : defaultModel();
  const attached = new Map<string, Adapter>();
  const references: Reference[] = [];
  for (const group of groups) {
    const named = group.adapter ?? family?.defaults.adapter;
    if (named === undefined) {
      throw new OptionError('OPTION_TYPE', '--reference needs an adapter', 'Add --adapter FILE after it');
    }
    const file = family?.adapters[named] ?? named;
    let adapter = attached.get(file);
    if (!adapter) {
      // the family's own networks only where they are needed: what a user names and the adapter does not read is warned of
      const needs = family && (await inspect(file, { sha256: false })).variant;
      const detector = flags.detector ?? (needs?.needsFace ? family?.face.detector : undefined);
      const recognizer = flags.recognizer ?? (needs?.needsFace ? family?.face.recognizer : undefined);
      adapter = await pipe.addAdapter(file, {
        encoder: flags.encoder ?? (needs?.encoder ? family?.encoder : undefined),
        face: detector && recognizer ? { detector, recognizer } : undefined,
      });
      attached.set(file, adapter);
    }
    references.push({
      adapter,
      images: group.images,
      scale: scale(group.scale) ?? (group.adapter === undefined ? family?.defaults.scale : undefined),
      loraScale: group.loraScale,
      structureScale: group.structureScale,
      pickFace: pickFace(group.pickFace),
    });
  }
  return references;
};

/** An option that was not given is left out, so that the model's default holds. */
const given = <T extends object>(options: T): T =>
  Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T;

const exists = (file: string): Promise<boolean> =>
  access(file).then(
    () => true,
    () => false,
  );

const run = async (flags: Flags, list: ReferenceList): Promise<void> => {
  const groups = list.grouped();
  const targets = Array.from({ length: flags.count ?? 1 }, (_, i) => fileOf(flags.out, i));
  for (const target of targets) {
    if (!flags.overwrite && flags.out !== 'portrait.png' && (await exists(target))) {
      throw new OptionError('OPTION_CONFLICT', `${target} exists already`, 'Name another file or add --overwrite');
    }
  }
  const interrupt = new AbortController();
  const stop = (): void => interrupt.abort(new Error('SIGINT'));
  process.once('SIGINT', stop);
  const started = performance.now();
  try {
    await using pipe = await Pipeline.load(
      flags.model ?? defaultModel().path,
      given({
        dtype: flags.dtype,
        threads: flags.threads,
        signal: interrupt.signal,
        logger: {
          debug: () => {},
          info: () => {},
          warn: (_: object, text?: string) => say(text ?? ''),
          error: () => {},
        },
      }),
    );
    const references = await attach(pipe, groups, flags);
    for (const file of flags.lora ?? []) await pipe.addLora(file);
    const loaded = performance.now();
    const job = pipe.generate(
      given({
        prompt: flags.prompt,
        negativePrompt: flags.negativePrompt,
        width: flags.size?.[0],
        height: flags.size?.[1],
        steps: flags.steps,
        guidanceScale: flags.guidanceScale,
        seed: flags.seed,
        count: flags.count,
        sampler: flags.sampler,
        schedule: flags.schedule,
        clipSkip: flags.clipSkip,
        metadata: flags.metadata,
        references: references.map((r) => given(r)),
        signal: interrupt.signal,
      }),
    );
    let shown: ReturnType<typeof progress> | undefined;
    for await (const event of job) {
      if (event.type === 'step') shown ??= progress(event.steps * (flags.count ?? 1));
      shown?.event(event);
    }
    shown?.end();
    const result = await job;
    for (const [i, image] of result.images.entries()) {
      await image.toFile(targets[i] as string, { overwrite: true });
    }
    const done = performance.now();
    if (flags.json) {
      printJson({
        files: targets,
        seeds: result.seeds,
        timings: { ...result.timings, loadMs: loaded - started, totalMs: done - started },
        licenses: result.licenses,
        warnings: result.warnings,
      });
    } else {
      say(`seed ${result.seeds.join(', ')}; ${((done - started) / 1000).toFixed(1)} s, loading included`);
      for (const target of targets) print(target);
    }
  } finally {
    process.removeListener('SIGINT', stop);
  }
};

/** `generate`: draws pictures. Without `--model` the bundled family and its defaults are used. */
export const generateCommand = (): Command => {
  const list = new ReferenceList();
  return new Command('generate')
    .description('draw a portrait from a prompt and reference pictures')
    .requiredOption('--prompt <text>', 'what to draw')
    .option('--negative-prompt <text>', 'what to keep out')
    .option('--reference <file>', 'a reference picture; may be repeated', (file) => list.add(file))
    .option('--adapter <name|file>', 'adapter of the reference before it: base, plus, faceid ... or a file', (name) =>
      list.set('adapter', name),
    )
    .option('--scale <scale>', 'strength of the reference before it, -1 to 5, or "3:2.5, 6:1"', (text) =>
      list.set('scale', text),
    )
    .option('--lora-scale <n>', "strength of its FaceID adapter's LoRA", (text) => list.set('loraScale', number(text)))
    .option('--structure-scale <n>', 'FaceID Plus v2: weight of the face picture', (text) =>
      list.set('structureScale', number(text)),
    )
    .option('--pick-face <rule>', 'largest, score, center, left, only, all or a number', (text) =>
      list.set('pickFace', text),
    )
    .option('--model <path>', 'a diffusers folder or one .safetensors or .ckpt file')
    .option('--encoder <path>', 'image encoder of the adapters')
    .option('--detector <file>', 'face detector, .onnx')
    .option('--recognizer <file>', 'face recogniser, .onnx')
    .option('--lora <file>', 'a LoRA; may be repeated', collect)
    .option('--size <WxH>', 'pixels, multiples of 8', size)
    .option('--steps <n>', 'steps, 1 to 1000', number)
    .option('--guidance-scale <n>', '0 to 50; 1 or less is off', number)
    .option('--seed <n>', 'the same seed gives the same picture', seed)
    .option('--count <n>', 'pictures, 1 to 64', number)
    .option('--sampler <name>', `how steps are taken: ${samplers.join(', ')}`, named('sampler', samplers))
    .option('--schedule <name>', `how noise levels are spaced: ${schedules.join(', ')}`, named('schedule', schedules))
    .option('--clip-skip <n>', 'layers of the text encoder left out', number)
    .addOption(new Option('--dtype <type>', 'precision').choices(['auto', 'f32', 'bf16']))
    .option('--threads <n>', 'CPU threads', number)
    .option('--out <file>', 'where to write: .png, .jpg or .webp', 'portrait.png')
    .option('--overwrite', 'replace files that exist')
    .option('--no-metadata', 'write no settings into the file')
    .option('--json', 'the result as JSON on stdout')
    .action((flags: Flags) => run(flags, list));
};
