import { stem } from '../files/files.js';
import type { Attaching } from '../native/attaching.js';
import type { NetworkHandle } from '../native/types.js';
import { freeName } from '../options/attached.js';
import type { Warn } from '../warnings.js';
import { type ControlContext, loadControlNet } from './attach.js';
import { ControlNet, controlNetwork } from './control-net.js';
import { controlNetSettings } from './options.js';

/** What the list needs of its pipeline. */
export interface ControlNetsOwner extends ControlContext {
  readonly attaching: Attaching;
  readonly warn: Warn;
}

/** The ControlNets and T2I-Adapters of a pipeline, by name. */
export class ControlNets {
  readonly byName = new Map<string, ControlNet>();
  readonly #owner: ControlNetsOwner;
  readonly #between: (work: () => Promise<void>) => Promise<void>;

  /** `between` does work after the runs that were asked for before. */
  constructor(owner: ControlNetsOwner, between: (work: () => Promise<void>) => Promise<void>) {
    this.#owner = owner;
    this.#between = between;
  }

  get networks(): NetworkHandle[] {
    return [...this.byName.values()].map(controlNetwork);
  }

  async add(path: string, options: unknown): Promise<ControlNet> {
    const owner = this.#owner;
    const settings = controlNetSettings(options);
    const name = settings.name ?? stem(path);
    freeName('ControlNet', name, this.byName);
    return owner.attaching.load(settings.signal, async (stop) => {
      const network = await loadControlNet(owner, path, stop);
      const drop = (): void => network.dispose();
      try {
        for (const { code, message } of network.info.warnings) owner.warn(code, message);
        const handle = new ControlNet(name, network, (it) => this.#detach(it));
        return {
          handle,
          keep: () => {
            freeName('ControlNet', name, this.byName); // another call may have taken it meanwhile
            this.byName.set(name, handle);
          },
          drop,
        };
      } catch (error) {
        drop();
        throw error;
      }
    });
  }

  #detach(net: ControlNet): Promise<void> {
    this.byName.delete(net.name);
    return this.#between(async () => controlNetwork(net).dispose());
  }
}
