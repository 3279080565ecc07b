import { Adapter, adapterParts } from '../adapters/adapter.js';
import { sameDeltas } from '../models/lora-file.js';
import type { EngineHost } from '../native/engine.js';
import type { DeltaSource, Stop } from '../native/types.js';
import { type Lora, loraHandle } from './lora.js';

const deltasOf = (it: Lora | Adapter): DeltaSource | undefined =>
  it instanceof Adapter ? adapterParts(it).lora?.deltas : loraHandle(it);

/**
 * Which LoRAs are no changes of their own: their numbers are those of a FaceID adapter's LoRA, and they set its strength.
 * Files are compared by their numbers, never by name.
 */
export class Companions {
  readonly #host: EngineHost;
  readonly #loras = new Set<Lora>();
  readonly #adapters = new Set<Adapter>();
  readonly #pairs = new Map<Lora, Set<Adapter>>();

  constructor(host: EngineHost) {
    this.#host = host;
  }

  /**
   * Compares with everything that has joined. Of two that are attached at the same time the later one sees the other, as
   * each joins before it compares.
   */
  async join(it: Lora | Adapter, stop: Stop): Promise<void> {
    if (it instanceof Adapter) this.#adapters.add(it);
    else this.#loras.add(it);
    try {
      for (const other of it instanceof Adapter ? this.#loras : this.#adapters) await this.#compare(it, other, stop);
    } catch (error) {
      this.leave(it);
      throw error;
    }
  }

  leave(it: Lora | Adapter): void {
    if (it instanceof Adapter) {
      this.#adapters.delete(it);
      for (const adapters of this.#pairs.values()) adapters.delete(it);
    } else {
      this.#loras.delete(it);
      this.#pairs.delete(it);
    }
  }

  /** The adapters whose strength a LoRA sets; empty for a change of its own. */
  controlled(lora: Lora): readonly Adapter[] {
    return [...(this.#pairs.get(lora) ?? [])];
  }

  async #compare(a: Lora | Adapter, b: Lora | Adapter, stop: Stop): Promise<void> {
    const [one, other] = [deltasOf(a), deltasOf(b)];
    if (!one || !other || !(await sameDeltas(this.#host, one, other, stop))) return;
    const [lora, adapter] = a instanceof Adapter ? [b as Lora, a] : [a, b as Adapter];
    if (!this.#loras.has(lora) || !this.#adapters.has(adapter)) return; // one has left meanwhile
    this.#pairs.set(lora, (this.#pairs.get(lora) ?? new Set()).add(adapter));
  }
}
