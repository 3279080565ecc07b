import { nearest, OptionError, quoted } from '../errors.js';
import { stem } from '../files/files.js';
import { readsCloseUps } from './close-up.js';
import { PUBLISHED, type Published } from './published.js';
import { encoderModel, type Needs, type Variant } from './variants.js';

/** What the tensors of a file say, for holding a preset to it. */
export interface PresetFacts {
  readonly variant: Variant;
  /** As the addon names it; `custom` for a base that nobody published adapters for. */
  readonly family: string;
  readonly needs: Needs;
  /** Of FaceID Plus, where something better than a guess says it. */
  readonly version: 'v1' | 'v2' | undefined;
}

interface Preset {
  readonly name: string;
  readonly tool: 'comfy' | 'a1111' | 'file';
  /** What it may stand for. */
  readonly rows: readonly Published[];
}

const ENDING = /\.(?:bin|pth|pt|ckpt|safetensors)$/;
const AUTO = 'ip-adapter-auto'; // of sd-webui-controlnet: goes by the file, which is what happens here anyway

/** "PLUS FACE (portraits)" and "Plus Face" are one name, "x.pth" and "x" too. */
const keyOf = (name: string): string =>
  name
    .trim()
    .toLowerCase()
    .replace(ENDING, '')
    .replace(/ *\([^)]*\)$/, '')
    .replace(/ - \S+ only$/, '');

const namesOf = (row: Published): readonly (readonly [tool: Preset['tool'], name: string])[] => [
  ...(row.comfy === undefined ? [] : [['comfy', row.comfy] as const]),
  ...row.a1111.map((name) => ['a1111', name] as const),
  ...row.files.map((name) => ['file', name] as const),
];

const PRESETS: ReadonlyMap<string, Preset> = (() => {
  const presets = new Map<string, Preset>([[keyOf(AUTO), { name: AUTO, tool: 'a1111', rows: PUBLISHED }]]);
  for (const row of PUBLISHED) {
    for (const [tool, name] of namesOf(row)) {
      const known = presets.get(keyOf(name));
      presets.set(keyOf(name), { name, tool, rows: [...(known?.rows ?? []), row] });
    }
  }
  return presets;
})();

/** The preset of that name; a name that none has is an error with the nearest. */
const presetOf = (name: string): Preset => {
  const preset = PRESETS.get(keyOf(name));
  if (preset) return preset;
  const near = nearest(keyOf(name), PRESETS.keys());
  const known = near === undefined ? undefined : PRESETS.get(near)!.name;
  throw new OptionError(
    'OPTION_UNKNOWN',
    `There is no preset ${quoted(name)} of ComfyUI or A1111, and no published adapter of that name`,
    known === undefined
      ? 'Leave preset out: the file says by itself what it is'
      : `Did you mean ${quoted(known)}? Or leave preset out: the file says by itself what it is`,
    { details: { option: 'preset', found: name, nearest: known } },
  );
};

/** Checks that a preset is known, before anything is opened. */
export const checkPreset = (name: string | undefined): void => {
  if (name !== undefined) presetOf(name);
};

const agrees = (row: Published, { variant, family, needs, version }: PresetFacts): boolean =>
  row.variant === variant &&
  (version === undefined || row.version === undefined || row.version === version) &&
  // a base of another size has encoders of other sizes
  (family === 'custom' || (row.base === family && row.encoder === encoderModel(needs.encoder)));

const listed = (names: readonly string[]): string => names.map(quoted).join(' or ');

const MOST_NAMES = 3;

/** Names of one tool that fit the file, the one of the published file itself first. */
const fitting = (tool: Preset['tool'], facts: PresetFacts): readonly string[] => {
  const rows = PUBLISHED.filter((row) => agrees(row, facts));
  const names = rows.flatMap((row) => namesOf(row).find(([of]) => of === tool)?.[1] ?? []);
  return [...new Set(names)].slice(0, MOST_NAMES);
};

const factsText = ({ variant, family, needs, version }: PresetFacts): string => {
  const model = encoderModel(needs.encoder);
  const reads = model === 'none' || model === 'other' ? '' : `, reads ${model}`;
  return `${variant}${version === undefined ? '' : ` ${version}`} for ${family}${reads}`;
};

/**
 * Holds what a preset says to what the tensors say. A preset that stands for something else is an error that names the one
 * that fits.
 */
export const holdPreset = (given: string | undefined, file: string, facts: PresetFacts): void => {
  if (given === undefined) return;
  const { name, tool, rows } = presetOf(given);
  if (name === AUTO || rows.some((row) => agrees(row, facts))) return;
  const fit = fitting(tool, facts);
  const elsewhere = fit.length > 0 ? fit : fitting('file', facts);
  const bases = [...new Set(rows.map((row) => row.base))];
  // light, full-face and FaceID Plus v1 are asked for with SDXL, where nobody published them
  const isMissing = tool === 'comfy' && facts.family !== 'custom' && !bases.some((base) => base === facts.family);
  const none = isMissing ? `; there is no ${quoted(name)} for ${facts.family}, only for ${bases.join(' and ')}` : '';
  throw new OptionError(
    'OPTION_CONFLICT',
    `preset ${quoted(given)} is not what ${quoted(file)} is: ${factsText(facts)}${none}`,
    elsewhere.length > 0
      ? `The preset that fits is ${listed(elsewhere)}; or leave preset out`
      : 'No preset stands for this file: leave preset out',
    { details: { option: 'preset', found: given, expected: elsewhere } },
  );
};

/** The version of FaceID Plus that a preset stands for. */
export const versionOfPreset = (given: string | undefined): 'v1' | 'v2' | undefined => {
  if (given === undefined) return undefined;
  const versions = new Set(presetOf(given).rows.map((row) => row.version));
  return versions.size === 1 ? [...versions][0] : undefined;
};

/**
 * Whether an adapter expects close-ups of one face: full-face by its tensors, plus-face by the name of its file or the preset,
 * since its tensors are those of Plus.
 */
export const expectsFaceCrop = (preset: string | undefined, file: string, variant: Variant): boolean => {
  if (variant !== 'full-face' && variant !== 'plus') return false; // whatever a name says
  const says = preset !== undefined && presetOf(preset).rows.every((row) => row.closeUp);
  return says || readsCloseUps(variant, stem(file));
};
