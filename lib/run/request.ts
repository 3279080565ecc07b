import type { Adapter } from '../adapters/adapter.js';
import type { ReferenceSettings } from '../adapters/reference.js';
import type { ControlNet } from '../controls/control-net.js';
import type { ControlSettings } from '../controls/options.js';
import type { FaceNetworks } from '../faces/face.js';
import type { ImageLimits } from '../images/limits.js';
import type { LoraPlan } from '../loras/deltas.js';
import type { ModelWeights } from '../loras/weights.js';
import type { Model } from '../models/model.js';
import type { EngineHost } from '../native/engine.js';
import type { Stop } from '../native/types.js';
import type { PromptWord } from '../prompt/index.js';
import type { Warn, Warning } from '../warnings.js';
import type { JobControl } from './job.js';
import type { RunSettings } from './options.js';
import type { PassList } from './passes.js';

/** A run that has passed every check at the door. */
export interface Run extends LoraPlan {
  readonly settings: RunSettings;
  readonly passes: PassList;
  /** Text embeddings that the prompts may name. */
  readonly words: readonly PromptWord[];
  /** Find the face that the mask of a picture means. */
  readonly faces: FaceNetworks | undefined;
  /** The adapter that they are of, where no reference is its. */
  readonly facesBy?: Adapter;
  readonly references: readonly {
    readonly settings: ReferenceSettings;
    readonly adapter: Adapter;
  }[];
  readonly controls: readonly { readonly settings: ControlSettings; readonly net: ControlNet }[];
  /** Grows while the run is on: `warn` adds to it. */
  readonly warnings: readonly Warning[];
  readonly warn: Warn;
}

/** What a run works with. */
export interface RunContext {
  readonly host: EngineHost;
  readonly model: Model;
  readonly weights: ModelWeights;
  readonly limits: ImageLimits;
  readonly control: JobControl;
  readonly stop: Stop;
  /** When the run was asked for, in ms of `performance.now()`. */
  readonly asked: number;
}
