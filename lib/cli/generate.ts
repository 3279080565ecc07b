import { access } from 'node:fs/promises';
import { extname, resolve } from 'node:path';
import { Command } from 'commander';
import {
  type Adapter,
  type AddAdapterOptions,
  type Control,
  type ControlNet,
  defaultModel,
  type FaceFiles,
  type FaceReference,
  type GenerateOptions,
  inspect,
  type LoadOptions,
  OptionError,
  Pipeline,
  type Reference,
} from '../index.js';
import { defaultOf } from '../options/row.js';
import { TABLE } from '../options/table/index.js';
import { flagsOf, optionsFrom } from './flags.js';
import { begunFrom, NOTHING } from './from.js';
import { print, printJson, say } from './output.js';
import { progress } from './progress.js';
import { type ReferenceFlags, ReferenceList } from './references.js';

/** What the flags of the command line give, by their names. */
type Flags = Readonly<Record<string, unknown>>;

/** What only the command line has. */
interface Own {
  readonly model?: string;
  readonly from?: string;
  readonly search?: readonly string[];
  readonly lora?: readonly string[];
  readonly textEmbedding?: readonly string[];
  readonly out: string;
  readonly overwrite?: boolean;
  readonly json?: boolean;
}

/** Flags of which each is one more. */
const REPEATED: readonly string[] = ['lora', 'textEmbedding', 'search'];

/** "portrait.png" for the first picture, "portrait-2.png" for the second. */
const fileOf = (out: string, index: number): string => {
  if (index === 0) return resolve(out);
  const end = extname(out);
  return resolve(`${out.slice(0, out.length - end.length)}-${index + 1}${end}`);
};

/** "portrait-preview.png" beside "portrait.png". */
const previewFileOf = (target: string): string => {
  const end = extname(target);
  return `${target.slice(0, target.length - end.length)}-preview${end}`;
};

/** Attaches the adapter of every group once; a name of the bundled family or a file. */
const attach = async (
  pipe: Pipeline,
  groups: readonly ReferenceFlags[],
  family: ReturnType<typeof defaultModel> | undefined,
  flags: Flags,
): Promise<{ references: Reference[]; faces: FaceReference[] }> => {
  const attached = new Map<string, Adapter>();
  const references: Reference[] = [];
  const faces: FaceReference[] = [];
  const asked = optionsFrom(TABLE.adapter, flags) as AddAdapterOptions;
  const faceAsked = optionsFrom(TABLE.faceFiles, flags) as Partial<FaceFiles>;
  for (const { kind, images, flags: own } of groups) {
    const { adapter: name, ...rest } = own as Omit<Reference, 'adapter'> & { readonly adapter?: string };
    const named = name ?? family?.defaults.adapter;
    if (named === undefined) {
      throw new OptionError('OPTION_TYPE', `--${kind} needs an adapter`, 'Add --adapter FILE after it');
    }
    const file = family?.adapters[named] ?? named;
    let adapter = attached.get(file);
    if (!adapter) {
      // the family's own networks only where they are needed: what a user names and the adapter does not read is warned of
      const needs = family && (await inspect(file, { sha256: false })).variant;
      const ownFace = needs?.needsFace || asked.cropFace ? family?.face : undefined;
      const { detector = ownFace?.detector, recognizer = ownFace?.recognizer, ...how } = faceAsked;
      const encoder = asked.encoder ?? (needs?.encoder ? family?.encoder : undefined);
      adapter = await pipe.addAdapter(file, {
        ...asked,
        ...(encoder === undefined ? {} : { encoder }),
        ...(detector && recognizer ? { face: { ...how, detector, recognizer } } : {}),
      });
      attached.set(file, adapter);
    }
    const scale = name === undefined ? family?.defaults.scale : undefined;
    const common = { ...(scale === undefined ? {} : { scale }), ...rest, adapter };
    if (kind === 'face') faces.push({ ...common, image: images[0]! } as FaceReference);
    else references.push({ ...common, images } as Reference);
  }
  return { references, faces };
};

/** Attaches what the groups of `--control-image` name, each file once. */
const attachControls = async (pipe: Pipeline, groups: readonly ReferenceFlags[]): Promise<Control[]> => {
  const attached = new Map<string, ControlNet>();
  const controls: Control[] = [];
  for (const { images, flags } of groups) {
    const { controlNet: file, ...rest } = flags as Omit<Control, 'controlNet'> & { readonly controlNet?: string };
    if (file === undefined || images.length !== 1)
      throw new OptionError('OPTION_TYPE', '--control-image needs a ControlNet', 'Add --control-net FILE after it');
    const controlNet = attached.get(file) ?? (await pipe.addControlNet(file, { name: `control-${attached.size}` }));
    attached.set(file, controlNet);
    controls.push({ ...rest, controlNet, image: images[0]! });
  }
  return controls;
};

/** Options of a run that are objects, whose rows have flags. */
const NESTED = ['init', 'hires', 'preview', 'reuse', 'freeU'] as const;

/** Those of them of which any flag was given, which changes what the run begins with. */
const nestedFrom = (flags: Flags, begun: Partial<GenerateOptions>): Pick<GenerateOptions, (typeof NESTED)[number]> =>
  Object.fromEntries(
    NESTED.map((name) => [name, optionsFrom(TABLE[name], flags)] as const)
      .filter(([, given]) => Object.keys(given).length > 0)
      .map(([name, given]) => [name, { ...(begun[name] as object | undefined), ...given }]),
  );

/** The recorded number type is that of the recorded device. */
const loadOptions = ({ dtype, images, ...recorded }: LoadOptions, given: LoadOptions): LoadOptions => ({
  ...recorded,
  ...(given.device === undefined && dtype !== undefined && { dtype }),
  ...given,
});

const exists = (file: string): Promise<boolean> =>
  access(file).then(
    () => true,
    () => false,
  );

/** The pictures to write: the one that is meant, or all. */
const wanted = <T>(images: readonly T[], keep: number | undefined): readonly T[] =>
  keep === undefined ? images : images.slice(keep, keep + 1);

const run = async (flags: Flags, list: ReferenceList, controlList: ReferenceList): Promise<void> => {
  const {
    model,
    from,
    search = [],
    lora = [],
    textEmbedding = [],
    out,
    overwrite,
    json,
  } = { out: defaultOf(TABLE.command, 'out'), ...optionsFrom(TABLE.command, flags) } as Own;
  const asked = optionsFrom(TABLE.generate, flags) as unknown as GenerateOptions;
  const init = optionsFrom(TABLE.init, flags);
  const count = asked.count ?? defaultOf(TABLE.generate, 'count');
  const most = TABLE.generate.rows.count.range[1]; // more is refused below, before anything is drawn
  const targets = Array.from({ length: Math.min(count, most) }, (_, i) => fileOf(out, i));
  for (const target of targets) {
    if (!overwrite && out !== defaultOf(TABLE.command, 'out') && (await exists(target))) {
      throw new OptionError('OPTION_CONFLICT', `${target} exists already`, 'Name another file or add --overwrite');
    }
  }
  const interrupt = new AbortController();
  const stop = (): void => interrupt.abort(new Error('SIGINT'));
  process.once('SIGINT', stop);
  const started = performance.now();
  try {
    const given = { model, loras: lora, textEmbeddings: textEmbedding, references: list, controls: controlList };
    const begun =
      from === undefined ? NOTHING : await begunFrom(from, { ...given, init, search, signal: interrupt.signal });
    const [groups, controlGroups] = [list.grouped(), controlList.grouped()];
    const chosen = model ?? begun.model ?? defaultModel().path;
    const images = { ...begun.load.images, ...optionsFrom(TABLE.images, flags) };
    const memory = { ...begun.load.memory, ...optionsFrom(TABLE.memory, flags) };
    await using pipe = await Pipeline.load(chosen, {
      ...loadOptions(begun.load, optionsFrom(TABLE.load, flags) as LoadOptions),
      ...(Object.keys(images).length > 0 ? { images } : {}),
      ...(Object.keys(memory).length > 0 ? { memory } : {}),
      signal: interrupt.signal,
      logger: {
        debug: () => {},
        info: () => {},
        warn: (_: object, text?: string) => say(text ?? ''),
        error: () => {},
      },
    });
    await begun.attach(pipe);
    const family = chosen === defaultModel().path ? defaultModel() : undefined;
    const { references, faces } = await attach(pipe, groups, family, flags);
    for (const file of lora) await pipe.addLora(file);
    for (const file of textEmbedding) await pipe.addTextEmbedding(file);
    const controls = await attachControls(pipe, controlGroups);
    const meant = asked.count === undefined ? begun.keep : undefined;
    const loaded = performance.now();
    const job = pipe.generate({
      ...begun.options,
      ...asked,
      ...nestedFrom(flags, begun.options),
      ...(groups.length > 0 && { references, faces }),
      ...(controls.length > 0 && { controls }),
      signal: interrupt.signal,
    });
    let shown: ReturnType<typeof progress> | undefined;
    for await (const event of job) {
      if (event.type === 'step') shown ??= progress(event.steps * (asked.count ?? begun.options.count ?? 1));
      const target = event.type === 'preview' ? targets[event.index - (meant ?? 0)] : undefined;
      if (event.type === 'preview' && target) await event.image.toFile(previewFileOf(target), { overwrite: true });
      shown?.event(event);
    }
    shown?.end();
    const result = await job;
    for (const [i, image] of wanted(result.images, meant).entries()) {
      await image.toFile(targets[i] as string, { overwrite: true });
    }
    const done = performance.now();
    if (json) {
      printJson({
        files: targets,
        seeds: wanted(result.seeds, meant),
        timings: { ...result.timings, loadMs: loaded - started, totalMs: done - started },
        licenses: result.licenses,
        warnings: result.warnings,
      });
    } else {
      say(
        `seed ${wanted(result.seeds, meant).join(', ')}; ${((done - started) / 1000).toFixed(1)} s, loading included`,
      );
      for (const target of targets) print(target);
    }
  } finally {
    process.removeListener('SIGINT', stop);
  }
};

/** `generate`: draws pictures. Without `--model` the bundled family and its defaults are used. */
export const generateCommand = (): Command => {
  const list = new ReferenceList();
  const controls = new ReferenceList({
    option: 'A control option',
    what: 'a control image',
    add: '--control-image FILE',
  });
  const command = new Command('generate').description('draw a portrait from a prompt and reference pictures');
  for (const [name, group] of Object.entries(TABLE)) {
    for (const { option, names } of flagsOf(group)) {
      if (name === 'reference') list.collect(option, names[0]!, 'reference');
      if (name === 'faceReference') list.collect(option, names[0]!, 'face');
      if (name === 'control') controls.collect(option, names[0]!, 'reference');
      if (REPEATED.includes(names[0]!)) option.argParser((file, before: readonly string[] = []) => [...before, file]);
      command.addOption(option);
    }
  }
  return command.action((flags: Flags) => {
    if (flags.prompt === undefined && flags.from === undefined)
      command.error("error: required option '--prompt <text>' not specified, and no --from", { exitCode: 2 });
    return run(flags, list, controls);
  });
};
