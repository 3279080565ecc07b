import t from 'tap';
import { controlStrengths, controlWindow } from '../../../lib/controls/strengths.js';

const round = (numbers: readonly number[]): number[] => numbers.map((x) => Math.round(x * 1e4) / 1e4);
const net = { variant: 'controlnet', strengths: 13 };
const xl = { variant: 'controlnet', strengths: 10 };
const adapter = { variant: 't2i-adapter', strengths: 4 };

t.test('modes: one factor per residual or feature, and the halves it is for', async (test) => {
  const of = (info: typeof net, mode: 'balanced' | 'prompt' | 'control' | 'guess') =>
    controlStrengths(info, { scale: 0.5, mode });
  test.same(of(net, 'balanced'), { strengths: new Array(13).fill(0.5), conditionalOnly: false });
  const soft = Array.from({ length: 13 }, (_, i) => 0.5 * 0.825 ** (12 - i));
  test.same(of(net, 'prompt'), { strengths: soft, conditionalOnly: false });
  test.same(of(net, 'control'), { strengths: soft, conditionalOnly: true });
  test.equal(round(of(xl, 'prompt').strengths).at(-1), round([0.5 * 0.825 ** 3])[0], 'SDXL takes the first ten');
  const guess = of(net, 'guess');
  test.ok(guess.conditionalOnly);
  test.same(round([guess.strengths[0]!, guess.strengths[6]!, guess.strengths[12]!]), [0.05, 0.1581, 0.5]);
  test.same(of({ ...net, globalPool: true } as typeof net, 'balanced'), guess, 'means over the picture are guesses');
  test.same(round(of(adapter, 'prompt').strengths), [0.125, 0.31, 0.4125, 0.5]);
  test.same(of(adapter, 'guess'), { strengths: [0.5, 0.5, 0.5, 0.5], conditionalOnly: false });
});

t.test('windows are those of diffusers: a step that would go beyond is left out', async (test) => {
  test.same(controlWindow(4, { start: 0, end: 1 }), [1, 1, 1, 1]);
  test.same(controlWindow(4, { start: 0.25, end: 0.75 }), [0, 1, 1, 0]);
  test.same(controlWindow(4, { start: 0.3, end: 0.7 }), [0, 0, 0, 0]);
  test.same(controlWindow(3, { start: 0, end: 0.67 }), [1, 1, 0]);
});
