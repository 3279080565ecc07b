/** A network call of a sampler and what follows it: lib/schedulers/row.ts says how it is run. */
export interface SampleRow {
  readonly step: number;
  readonly timestep: number;
  readonly inputScale: number;
  readonly keepX: number;
  readonly keepOut: number;
  readonly store: 'push' | 'replace';
  readonly updates: readonly {
    readonly x: number;
    readonly saved: number;
    readonly outputs: readonly number[];
    readonly noise: number;
    readonly draws: boolean;
    readonly saveX: boolean;
  }[];
}
