import type { Adapter } from '../adapters/adapter.js';
import { adapterParts } from '../adapters/adapter.js';
import type { ReferenceSettings } from '../adapters/reference.js';
import { ModelMismatchError, OptionError } from '../errors.js';
import { checkKind } from '../files/kinds.js';
import type { EngineHost } from '../native/engine.js';
import { native } from '../native/native.js';
import type { LoraHandle, NetworkHandle, Stop } from '../native/types.js';
import type { LoraUse } from '../prompt/index.js';

/** What an attached LoRA is. */
export interface LoraInfo {
  /** Layers of the UNet that it changes. */
  readonly modules: number;
  /** The largest of its factors; 0 for a file of whole differences. */
  readonly rank: number;
}

const handles = new WeakMap<Lora, LoraHandle>();

/**
 * A LoRA attached to a pipeline: in effect in every run at its scale, unless the prompt names it with another.
 *
 * @example
 * const ink = await pipe.addLora('ink.safetensors', { name: 'ink', scale: 0.8 })
 * await pipe.generate({ prompt: 'portrait of a man <lora:ink:0.5>' })
 */
export class Lora {
  readonly name: string;
  /** −2…2 */
  readonly scale: number;
  readonly info: LoraInfo;
  readonly #detach: (lora: Lora) => Promise<void>;
  #ending: Promise<void> | undefined;

  /** Made by `addLora`; not called by users. */
  constructor(name: string, scale: number, handle: LoraHandle, detach: (lora: Lora) => Promise<void>) {
    this.name = name;
    this.scale = scale;
    this.info = { modules: handle.info.modules, rank: handle.info.rank };
    this.#detach = detach;
    handles.set(this, handle);
  }

  /** True after `dispose`. */
  get disposed(): boolean {
    return this.#ending !== undefined;
  }

  /** Detaches the LoRA once earlier runs are done, and restores the model's weights byte for byte. */
  dispose(): Promise<void> {
    this.#ending ??= this.#detach(this);
    return this.#ending;
  }

  /** As `dispose`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }
}

/** One delta of the UNet's weights and its strength. */
export interface Delta {
  readonly lora: NetworkHandle | LoraHandle;
  readonly strength: number;
}

const MOST = 2; // strength of a LoRA, either sign

/** Strengths of the attached LoRAs in one run: as attached, or as the prompt says. Strength 0 is left out. */
export const loraDeltas = (
  attached: Iterable<Lora>,
  uses: readonly LoraUse[],
): { readonly deltas: Delta[]; readonly record: { name: string; scale: number }[] } => {
  const asked = new Map<string, number>();
  for (const { name, scale, rank } of uses) {
    if (rank !== undefined) {
      throw new OptionError(
        'OPTION_UNKNOWN',
        `The argument dyn of <lora:${name}:…> is not in this version`,
        'Write <lora:name:0.8>',
        { details: { option: 'prompt' } },
      );
    }
    if (!(Math.abs(scale) <= MOST)) {
      throw new OptionError(
        'OPTION_RANGE',
        `Expected a number from -${MOST} to ${MOST} for <lora:${name}:…> but received ${scale}`,
        'Write <lora:name:0.8>',
        {
          details: { option: 'prompt', found: scale },
        },
      );
    }
    asked.set(name, scale);
  }
  const record = [...attached].map((lora) => ({ name: lora.name, scale: asked.get(lora.name) ?? lora.scale, lora }));
  const acting = record.filter(({ scale }) => scale !== 0);
  return {
    deltas: acting.map(({ lora, scale }) => ({ lora: handles.get(lora)!, strength: scale })),
    record: acting.map(({ name, scale }) => ({ name, scale })),
  };
};

/** Deltas of the LoRAs inside the FaceID adapters that a run's references name, each once, at its loraScale. */
export const adapterDeltas = (
  references: readonly { readonly settings: ReferenceSettings; readonly adapter: Adapter }[],
): Delta[] => {
  const strengths = new Map<Adapter, number>();
  for (const { settings, adapter } of references) {
    const own = adapterParts(adapter);
    if (!own.network.info.loraRank) continue;
    const strength = settings.loraScale ?? own.loraScale;
    const before = strengths.get(adapter);
    if (before !== undefined && before !== strength) {
      throw new OptionError(
        'OPTION_CONFLICT',
        `${settings.option}.loraScale is ${strength}, another reference of ${own.name} has ${before}: the LoRA acts on the whole run`,
        'Give the references of one adapter the same loraScale',
        { details: { option: `${settings.option}.loraScale` } },
      );
    }
    strengths.set(adapter, strength);
  }
  return [...strengths]
    .filter(([, strength]) => strength !== 0)
    .map(([adapter, strength]) => ({ lora: adapterParts(adapter).network, strength }));
};

/** The UNet's weights: the file's own, or those with a list of deltas merged in. */
export class UnetWeights {
  #merged: readonly Delta[] | undefined = []; // undefined after a merge that did not end

  constructor(
    readonly host: EngineHost,
    readonly unet: NetworkHandle,
  ) {}

  /** Makes the weights base + Σ strength · delta. */
  async set(deltas: readonly Delta[], stop: Stop): Promise<void> {
    const now = this.#merged;
    const same =
      now?.length === deltas.length &&
      now.every((delta, i) => delta.lora === deltas[i]!.lora && delta.strength === deltas[i]!.strength);
    if (same) return;
    this.#merged = undefined;
    await native(this.host.engine.setLoras(this.unet, deltas, { stop }));
    this.#merged = deltas;
  }

  /** Whether a delta is merged in now, or may be. */
  uses(lora: NetworkHandle | LoraHandle): boolean {
    return this.#merged === undefined || this.#merged.some((delta) => delta.lora === lora);
  }
}

/** Reads a LoRA's header and finds the UNet's layers that it changes; of a file that fits none it is said what it is. */
export const openLora = async (
  { engine }: EngineHost,
  unet: NetworkHandle,
  path: string,
  stop: Stop,
): Promise<LoraHandle> => {
  try {
    return await native(engine.openLora(path, unet, { stop }));
  } catch (error) {
    if (!(error instanceof ModelMismatchError) || error.code !== 'LORA_KEYS_UNMATCHED') throw error;
    // a file that cannot be told keeps the first error
    const kind = await engine.inspect(path, { stop }).then(
      (info) => info.kind,
      () => '',
    );
    checkKind(path, kind, 'addLora');
    throw error;
  }
};

/** The addon's handle of an attached LoRA. */
export const loraHandle = (lora: Lora): LoraHandle => handles.get(lora)!;
