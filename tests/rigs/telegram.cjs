// The npm package `telegram-test-api`, for tests/telegram_emulator.py:
//   node telegram.cjs PORT     prints "up"; ends when its input does
//
// What it lacks of the Bot API and Firstline asks for is added before its own routes: long polling with offsets,
// getWebhookInfo, setMyCommands. It forgets a webhook's secret, shows no edits, and ends when a webhook refuses an
// update: that is put right here; an update that was refused is brought again.
const axios = require('axios')
const { routes } = require('telegram-test-api/lib/routes/index')
const TelegramServer = require('telegram-test-api')

const BETWEEN = 50 // milliseconds between two looks, and between two attempts to bring an update
const secrets = {}
const later = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds))

const ours = (app, server) => {
  app.all('/bot:token/getUpdates', async (asked, answer) => {
    const { offset = 0, timeout = 0 } = { ...asked.query, ...asked.body }
    const stored = server.storage.userMessages
    for (const update of [...stored]) {
      if (update.updateId < Number(offset)) stored.splice(stored.indexOf(update), 1)
    }
    for (let left = Number(timeout) * 1000; left > 0 && !stored.length && !asked.destroyed; left -= BETWEEN) {
      await later(BETWEEN)
    }
    answer.json({ ok: true, result: stored.map(TelegramServer.formatUpdate) })
  })
  app.all('/bot:token/getWebhookInfo', (asked, answer) => {
    const { url = '' } = server.webhooks[asked.params.token] ?? {}
    answer.json({ ok: true, result: { url, has_custom_certificate: false, pending_update_count: 0 } })
  })
  app.all('/bot:token/setMyCommands', (asked, answer) => answer.json({ ok: true, result: true }))
}
routes.unshift(ours)

const { setWebhook } = TelegramServer.prototype
TelegramServer.prototype.setWebhook = function (webhook, token) {
  secrets[webhook.url] = webhook.secret_token
  return setWebhook.call(this, webhook, token)
}

axios.interceptors.request.use((request) => {
  if (secrets[request.url]) request.headers['X-Telegram-Bot-Api-Secret-Token'] = secrets[request.url]
  return request
})
axios.interceptors.response.use(undefined, async (failure) => {
  await later(BETWEEN)
  return axios.request(failure.config)
})

const { formatUpdate } = TelegramServer
TelegramServer.formatUpdate = (update) => {
  const { message, ...rest } = formatUpdate(update)
  if (message?.edits === undefined) return { message, ...rest }
  return { ...rest, edited_message: { ...message, message_id: message.edits, edit_date: message.date } }
}

const server = new TelegramServer({ host: '127.0.0.1', port: Number(process.argv[2]), storeTimeout: 3600 })
server.start().then(() => console.log('up'))
process.stdin.on('end', () => process.exit()).resume()
