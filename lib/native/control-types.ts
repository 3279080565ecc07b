import type { Pixels } from './values.js';

/** A ControlNet or T2I-Adapter in a run. */
export interface ControlInput<Network> {
  readonly network: Network;
  /** RGB of any size: it is stretched to the one that the network reads. */
  readonly image: Pixels;
  /** Made of the picture then; absent: it is a finished map. */
  readonly preprocess?: 'canny' | undefined;
  /** One factor per residual, the middle's last; or per feature. */
  readonly strengths: readonly number[];
  /** One factor per outer step; where it is 0 the network is not called. */
  readonly window: readonly number[];
  /** Under guidance nothing for the unconditional half. */
  readonly conditionalOnly?: boolean;
}
