// Names of other tools: what one of them calls ours is understood again, for every sampler and schedule.
import t from 'tap';
import { schedules } from '../../../lib/schedulers/config.js';
import { samplers } from '../../../lib/schedulers/index.js';
import { foreignName, namesIn } from '../../../lib/schedulers/names.js';

const tools = ['a1111', 'comfyui', 'diffusers'] as const;

t.test('every name goes there and back', async (test) => {
  for (const sampler of samplers) {
    const known = tools.flatMap((tool) => namesIn(tool, sampler).sampler ?? []);
    test.ok(known.length > 0, `${sampler} has a name somewhere`);
    for (const name of known) test.same(foreignName('sampler', name), { sampler }, name);
  }
  for (const schedule of schedules) {
    for (const tool of tools) {
      const name = namesIn(tool, 'euler', schedule).schedule;
      if (name) test.same(foreignName('schedule', name), { schedule }, name);
    }
    test.ok(namesIn('a1111', 'euler', schedule).schedule, schedule);
  }
});

t.test('sampler and schedule in one name, as A1111 wrote them once', async (test) => {
  for (const sampler of samplers)
    for (const schedule of schedules) {
      const names = namesIn('a1111', sampler, schedule);
      if (names.sampler === undefined || schedule === 'ddim_uniform') continue;
      test.same(foreignName('sampler', `${names.sampler} ${names.schedule}`), { sampler, schedule });
    }
  test.same(foreignName('sampler', 'euler_cfg_pp'), { sampler: 'euler' });
  test.same(foreignName('sampler', 'uni_pc'), { sampler: 'unipc' });
  test.same(foreignName('schedule', 'Uniform'), { schedule: 'normal' });
  test.same(foreignName('sampler', 'DPM fast'), { sampler: 'dpmpp_2m', nearest: true });
  for (const name of ['constructor', '', 'Karras', 'toString'])
    test.equal(foreignName('sampler', name), undefined, name);
  test.same(namesIn('a1111', 'deis', 'swirl'), { sampler: undefined, schedule: undefined });
  test.same(namesIn('a1111', 'constructor', 'constructor'), { sampler: undefined, schedule: undefined });
});
