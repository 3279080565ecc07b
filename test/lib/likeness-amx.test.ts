import { checkLikeness } from './likeness.js';
import { useLevel } from './stand-ins.js';

useLevel('amx');
await checkLikeness({ dtype: 'bf16' });
