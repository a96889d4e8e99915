// What enqueue.mjs and worker.mjs share.
export const QUEUE = 'mail';
export const connection = {
  host: '127.0.0.1', port: Number(process.env.REDIS_PORT), maxRetriesPerRequest: null,
};
