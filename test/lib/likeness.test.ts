import { checkLikeness } from './likeness.js';

await checkLikeness({ dtype: 'f32' });
