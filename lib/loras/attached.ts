import { stem } from '../files/files.js';
import { located } from '../hub/names.js';
import { openLora } from '../models/lora-file.js';
import type { Attaching } from '../native/attaching.js';
import type { EngineHost } from '../native/engine.js';
import type { LoraHandle, NetworkHandle } from '../native/types.js';
import { freeName } from '../options/attached.js';
import type { Warn } from '../warnings.js';
import type { Companions } from './companions.js';
import { Lora, loraHandle } from './lora.js';
import { type AddLoraOptions, loraSettings } from './options.js';
import type { ModelWeights } from './weights.js';

/** What LoRAs are attached with. */
export interface LoraContext {
  readonly host: EngineHost;
  /** The networks that LoRAs change. */
  readonly networks: readonly NetworkHandle[];
  readonly weights: ModelWeights;
  readonly companions: Companions;
  readonly attaching: Attaching;
  readonly warn: Warn;
  /** Work between runs. */
  readonly between: (work: () => Promise<void>) => Promise<void>;
}

/** The LoRAs of one pipeline. */
export class PipelineLoras {
  readonly byName = new Map<string, Lora>();
  readonly #context: LoraContext;

  constructor(context: LoraContext) {
    this.#context = context;
  }

  /** Those that are changes of their own, as attached: a FaceID adapter's own LoRA acts with its adapter alone. */
  get merged(): readonly { readonly lora: LoraHandle; readonly scale: number; readonly textScale: number }[] {
    return [...this.byName.values()]
      .filter((it) => this.#context.companions.controlled(it).length === 0)
      .map((it) => ({ lora: loraHandle(it), scale: it.scale, textScale: it.textScale }));
  }

  /** Attaches a file. */
  async add(path: string, options: AddLoraOptions): Promise<Lora> {
    const { host, networks, companions, attaching, warn } = this.#context;
    const settings = loraSettings(options);
    const name = settings.name ?? stem(path);
    freeName('LoRA', name, this.byName);
    return attaching.load(settings.signal, async (stop) => {
      const handle = await openLora(host, networks, await located(path), stop);
      for (const { code, message } of handle.info.warnings) warn(code, message);
      const lora = new Lora(name, settings, handle, (it) => this.#detach(it));
      await companions.join(lora, stop);
      return {
        handle: lora,
        keep: () => {
          freeName('LoRA', name, this.byName); // another call may have taken it meanwhile
          this.byName.set(name, lora);
        },
        drop: () => companions.leave(lora),
      };
    });
  }

  #detach(lora: Lora): Promise<void> {
    const { companions, weights, between } = this.#context;
    this.byName.delete(lora.name);
    companions.leave(lora);
    return between(() => weights.without(loraHandle(lora)));
  }
}
