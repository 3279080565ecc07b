import { checkLikeness } from './likeness.js';
import { useLevel } from './stand-ins.js';

useLevel('avx512bf16');
await checkLikeness({ dtype: 'bf16' });
