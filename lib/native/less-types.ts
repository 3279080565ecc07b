/** What a run leaves out of its steps, as the engine takes it. */
export interface SampleLess {
  /** One factor per outer step; 0: guidance is off there, and only positive texts are drawn. Absent: on in all. */
  readonly guidanceWindow?: readonly number[];
  /** In outer steps that are no multiple of it, deep features are reused. Absent: never. */
  readonly reuseEvery?: number;
  readonly freeU?: { readonly b1: number; readonly b2: number; readonly s1: number; readonly s2: number };
}
