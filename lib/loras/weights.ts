import { changeable } from '../models/lora-file.js';
import type { Model } from '../models/model.js';
import { type EngineHost, released } from '../native/engine.js';
import { native } from '../native/native.js';
import type { DeltaSource, NetworkHandle, Stop } from '../native/types.js';

/** A change of the model's weights, and how strong it is. */
export interface Delta {
  readonly lora: DeltaSource;
  /** In the UNet. */
  readonly strength: number;
  /** In the text encoders. */
  readonly textStrength: number;
}

interface Merged {
  readonly lora: DeltaSource;
  readonly strength: number;
}

/** One network's weights: the file's own, or those with a list of deltas merged in. */
class NetworkWeights {
  #merged: readonly Merged[] | undefined = []; // undefined after a merge that did not end

  constructor(
    readonly host: EngineHost,
    readonly network: NetworkHandle,
  ) {}

  /** Makes the weights base + Σ strength · delta. */
  async set(list: readonly Merged[], stop: Stop): Promise<void> {
    const now = this.#merged;
    const same =
      now?.length === list.length &&
      now.every(({ lora, strength }, i) => lora === list[i]!.lora && strength === list[i]!.strength);
    if (same) return;
    this.#merged = undefined;
    await native(this.host.engine.setLoras(this.network, list, { stop }));
    this.#merged = list;
  }

  /** Whether a delta is merged in now, or may be. */
  uses(lora: DeltaSource): boolean {
    return this.#merged === undefined || this.#merged.some((delta) => delta.lora === lora);
  }
}

/** Whether a source has anything for the UNet, or for text encoders; what lies inside an adapter is of the UNet. */
const changes = ({ info }: DeltaSource, isText: boolean): boolean =>
  'kind' in info ? !isText : (isText ? info.textModules : info.modules) > 0;

/** The weights of all networks that LoRAs change. */
export class ModelWeights {
  readonly #unet: NetworkWeights;
  readonly #text: readonly NetworkWeights[];

  readonly #host: EngineHost;
  #isEnding = false;

  constructor(host: EngineHost, model: Pick<Model, 'unet' | 'text'>) {
    this.#host = host;
    const [unet, ...text] = changeable(model).map((network) => new NetworkWeights(host, network));
    this.#unet = unet!;
    this.#text = text;
  }

  /** Makes the weights those of the files plus these changes. */
  async set(deltas: readonly Delta[], stop: Stop): Promise<void> {
    const acting = (isText: boolean): Merged[] =>
      deltas
        .map(({ lora, strength, textStrength }) => ({ lora, strength: isText ? textStrength : strength }))
        .filter(({ lora, strength }) => strength !== 0 && changes(lora, isText));
    await this.#unet.set(acting(false), stop);
    for (const text of this.#text) await text.set(acting(true), stop);
  }

  /** The weights of the files again. */
  async restore(): Promise<void> {
    const stop = this.#host.stop();
    await this.set([], stop).finally(() => released(this.#host, stop));
  }

  /** The same where a delta is merged in, whose source goes. */
  async without(lora: DeltaSource | undefined): Promise<void> {
    if (lora && !this.#isEnding && this.uses(lora)) await this.restore();
  }

  /** The networks go: nothing is restored any more, which a file that changed would not allow. */
  end(): void {
    this.#isEnding = true;
  }

  /** Whether a delta is merged in now, or may be. */
  uses(lora: DeltaSource): boolean {
    return [this.#unet, ...this.#text].some((network) => network.uses(lora));
  }
}
