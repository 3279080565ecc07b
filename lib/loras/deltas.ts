import { type Adapter, adapterParts } from '../adapters/adapter.js';
import type { ReferenceSettings } from '../adapters/reference.js';
import { OptionError, quoted } from '../errors.js';
import type { RunRecord } from '../images/metadata.js';
import { attachedOne } from '../options/attached.js';
import type { LoraUse } from '../prompt/index.js';
import type { Warn } from '../warnings.js';
import type { Companions } from './companions.js';
import { Lora, loraHandle, type Strengths } from './lora.js';
import type { RunLoraSettings } from './options.js';
import type { Delta } from './weights.js';

const MOST = 2; // strength of a LoRA, either sign

/** What is attached, as far as LoRAs are concerned. */
export interface AttachedLoras {
  readonly loras: ReadonlyMap<string, Lora>;
  readonly adapters: ReadonlyMap<string, Adapter>;
  readonly companions: Companions;
}

/** What a run says of LoRAs. */
export interface AskedLoras {
  /** The option `loras`: in place of all that are attached. */
  readonly loras: readonly RunLoraSettings[] | undefined;
  /** Directives of the prompts; the last one of a name counts. */
  readonly uses: readonly LoraUse[];
  readonly references: readonly { readonly settings: ReferenceSettings; readonly adapter: Adapter }[];
}

/** The changes of weights that a run is drawn with, and what its record says of them. */
export interface LoraPlan {
  readonly deltas: readonly Delta[];
  readonly loras: RunRecord['loras'];
  /** The handles of these. */
  readonly acting: readonly Lora[];
  /** Strengths of the LoRAs of the adapters that the run references. */
  readonly loraScales: ReadonlyMap<Adapter, number>;
}

/** Names by which prompts may set the strength of the adapters' LoRAs. */
export const companionNames = (adapters: Iterable<Adapter>): string[] =>
  [...adapters].flatMap((adapter) => adapterParts(adapter).lora?.names ?? []);

/** Who says how strong an adapter's LoRA is. */
interface Control {
  readonly scale: number;
  /** In warnings: "<lora:ink:…>"; undefined for a LoRA that is attached, which a reference overrules. */
  readonly by: string | undefined;
}

const checkUse = ({ name, scale, textScale, rank }: LoraUse): void => {
  if (rank !== undefined) {
    throw new OptionError(
      'OPTION_UNKNOWN',
      `The argument dyn of <lora:${name}:…> is not in this version`,
      'Write <lora:name:0.8>',
      { details: { option: 'prompt' } },
    );
  }
  for (const found of [scale, textScale]) {
    if (Math.abs(found) <= MOST) continue;
    throw new OptionError(
      'OPTION_RANGE',
      `Expected a number from -${MOST} to ${MOST} for <lora:${name}:…> but received ${found}`,
      'Write <lora:name:0.8>',
      { details: { option: 'prompt', found } },
    );
  }
};

/** Strengths of LoRAs and of adapters' own LoRAs while the plan is made. */
class Planner {
  readonly acting = new Map<Lora, Strengths>();
  readonly controls = new Map<Adapter, Control>();

  constructor(readonly attached: AttachedLoras) {}

  /** Adapters whose LoRA goes by the name. */
  named(name: string): Adapter[] {
    return [...this.attached.adapters.values()].filter((one) => adapterParts(one).lora?.names.includes(name));
  }

  /** A LoRA acts, or sets the strength of adapters' own. */
  set(lora: Lora, strengths: Strengths, by?: string): readonly Adapter[] {
    const controlled = this.attached.companions.controlled(lora);
    if (controlled.length === 0) this.acting.set(lora, strengths);
    this.control(controlled, strengths.scale, by);
    return controlled;
  }

  control(adapters: readonly Adapter[], scale: number, by?: string): void {
    for (const adapter of adapters) this.controls.set(adapter, { scale, by });
  }

  /** One entry of the run's list. */
  entry(asked: RunLoraSettings): readonly Adapter[] {
    const { option, lora: given } = asked;
    const { loras } = this.attached;
    const adapters = typeof given === 'string' && !loras.has(given) ? this.named(given) : [];
    if (adapters.length > 0) {
      this.control(adapters, asked.scale ?? adapterParts(adapters[0]!).loraScale, option);
      return adapters;
    }
    const isHandle = (value: unknown): value is Lora => value instanceof Lora;
    const choice = { what: 'LoRA', call: 'addLora', isHandle, attached: loras };
    const lora = attachedOne(given, `${option}.lora`, choice);
    if (this.acting.has(lora)) {
      throw new OptionError('OPTION_CONFLICT', `${option} names ${quoted(lora.name)} again`, 'Name each LoRA once', {
        details: { option },
      });
    }
    const { scale = lora.scale, textScale = asked.scale ?? lora.textScale } = asked;
    return this.set(lora, { scale, textScale }, option);
  }

  /** One directive of a prompt. */
  use(use: LoraUse): readonly Adapter[] {
    const lora = this.attached.loras.get(use.name);
    const by = `<lora:${use.name}:…>`;
    if (lora) return this.set(lora, use, by);
    const adapters = this.named(use.name);
    this.control(adapters, use.scale, by);
    return adapters;
  }
}

/** Strength of each adapter's own LoRA, of those that references name: each once, whatever their number. */
const scalesOf = (
  references: AskedLoras['references'],
  controls: ReadonlyMap<Adapter, Control>,
  warn: Warn,
): Map<Adapter, number> => {
  const scales = new Map<Adapter, number>();
  for (const { settings, adapter } of references) {
    const own = adapterParts(adapter);
    if (!own.lora) continue;
    const control = controls.get(adapter);
    const isSet = control?.by !== undefined;
    const { loraScale, option } = settings;
    if (isSet && loraScale !== undefined && loraScale !== control.scale)
      warn('OPTION_CONFLICT', `${option}.loraScale has no effect: ${control.by} sets it`);
    const scale = isSet ? control.scale : (loraScale ?? control?.scale ?? own.loraScale);
    const before = scales.get(adapter);
    if (before !== undefined && before !== scale) {
      throw new OptionError(
        'OPTION_CONFLICT',
        `${option}.loraScale is ${scale}, another reference of ${own.name} has ${before}: the LoRA acts on the whole run`,
        'Give the references of one adapter the same loraScale',
        { details: { option: `${option}.loraScale` } },
      );
    }
    scales.set(adapter, scale);
  }
  return scales;
};

/**
 * The LoRAs of one run: as attached, or as its list says; a directive of the prompt wins over both. A LoRA that is an
 * adapter's own sets that one's strength, in runs that reference the adapter, and changes nothing else.
 */
export const loraPlan = (attached: AttachedLoras, asked: AskedLoras, warn: Warn): LoraPlan => {
  const planner = new Planner(attached);
  const referenced = new Set(asked.references.map(({ adapter }) => adapter));
  const checkActs = (what: string, adapters: readonly Adapter[]): void => {
    if (adapters.length === 0 || adapters.some((adapter) => referenced.has(adapter))) return;
    const names = adapters.map(({ name }) => quoted(name)).join(', ');
    warn('OPTION_CONFLICT', `${what} has no effect: it is the LoRA of ${names}, which no reference names`);
  };
  if (asked.loras) for (const entry of asked.loras) checkActs(entry.option, planner.entry(entry));
  else for (const lora of attached.loras.values()) planner.set(lora, lora);
  for (const use of asked.uses) checkUse(use);
  for (const use of new Map(asked.uses.map((one) => [one.name, one])).values()) {
    checkActs(`<lora:${use.name}:…>`, planner.use(use));
  }
  const loraScales = scalesOf(asked.references, planner.controls, warn);
  const acting = [...planner.acting].filter(([, { scale, textScale }]) => scale !== 0 || textScale !== 0);
  return {
    deltas: [
      ...acting.map(([lora, { scale, textScale }]) => ({
        lora: loraHandle(lora),
        strength: scale,
        textStrength: textScale,
      })),
      ...[...loraScales].map(([adapter, scale]) => ({
        lora: adapterParts(adapter).lora!.deltas,
        strength: scale,
        textStrength: scale,
      })),
    ],
    acting: acting.map(([lora]) => lora),
    loras: acting.map(([lora, { scale, textScale }]) => ({ name: lora.name, scale, textScale })),
    loraScales,
  };
};
