// The rest of the table: loaders of which each is a download of more than 100 MB.
import t from 'tap';
import { testLoaders } from './draws.js';

t.test('each draws a portrait', (test) => testLoaders(test, 'full'));
