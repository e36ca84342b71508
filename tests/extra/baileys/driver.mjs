// Runs one Baileys session for the tests: requests as JSON lines on stdin, answers and events on stdout.
// Environment: CLIENT_MODULES (folder with node_modules), CLIENT_STATE (folder for the session),
// CLIENT_PROXY (URL of the simulator's proxy), CLIENT_ROOT (public key of its certificates, hex).
import { Console } from 'node:console'
import { createRequire } from 'node:module'
import net from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { pathToFileURL } from 'node:url'

const { CLIENT_MODULES, CLIENT_STATE, CLIENT_PROXY, CLIENT_ROOT } = process.env
const resolve = createRequire(join(CLIENT_MODULES, 'package.json')).resolve
const load = name => import(pathToFileURL(resolve(name)))

// stdout is for answers; the client's encryption library prints its sessions there
globalThis.console = new Console(process.stderr)
allowLoopbackOnly()
const [baileys, { HttpsProxyAgent }, { ProxyAgent, setGlobalDispatcher }, { pino }] = await Promise.all(
    ['baileys', 'https-proxy-agent', 'undici', 'pino'].map(load))
baileys.WA_CERT_DETAILS.PUBLIC_KEY = Buffer.from(CLIENT_ROOT, 'hex')
const agent = new HttpsProxyAgent(CLIENT_PROXY)
setGlobalDispatcher(new ProxyAgent(CLIENT_PROXY))
const logger = pino({ level: process.env.CLIENT_LOG_LEVEL ?? 'warn' }, pino.destination({ fd: 2, sync: true }))

const EVENTS = [
    'connection.update', 'messaging-history.set', 'messages.upsert', 'messages.update', 'message-receipt.update',
    'presence.update', 'chats.upsert', 'chats.update', 'contacts.upsert', 'contacts.update', 'groups.upsert',
    'groups.update', 'group-participants.update', 'call',
]
const { state, saveCreds } = await baileys.useMultiFileAuthState(CLIENT_STATE)
const keys = { get: state.keys.get, set: data => untilWritten(state.keys.set(data)) }
const writes = new Set()
const messages = new Map()
let socket
let isStopping = false

const COMMANDS = {
    connect,
    drop: () => socket.ws.socket.terminate(),
    call,
    download,
}

createInterface({ input: process.stdin }).on('line', answer).on('close', stop)

function allowLoopbackOnly() {
    const connect = net.Socket.prototype.connect
    net.Socket.prototype.connect = function (...args) {
        const options = net._normalizeArgs(args[0] instanceof Array ? args[0] : args)[0]
        if (options.host !== '127.0.0.1') throw new Error(`connection to ${options.host} refused: loopback only`)
        return connect.apply(this, args)
    }
}

async function answer(line) {
    const { id, command, ...parameters } = JSON.parse(line, revive)
    try {
        write({ id, result: await COMMANDS[command](parameters) ?? null })
    } catch (error) {
        write({ id, error: `${error?.message ?? error}` })
    }
}

function connect() {
    socket = baileys.default({
        auth: { creds: state.creds, keys: baileys.makeCacheableSignalKeyStore(keys, logger) },
        agent,
        fetchAgent: agent,
        logger,
        retryRequestDelayMs: 10,
        getMessage: async ({ id }) => messages.get(id)?.message,
    })
    const current = socket
    current.ev.on('creds.update', onCredentials)
    current.ev.on('messages.upsert', ({ messages: upserted }) => upserted.forEach(m => messages.set(m.key.id, m)))
    for (const name of EVENTS) current.ev.on(name, data => write({ event: name, data }))
    current.ev.on('connection.update', onConnection)
}

async function onCredentials({ accountSyncCounter }) {
    await untilWritten(saveCreds())
    if (accountSyncCounter) write({ event: 'synced', data: null })
}

function onConnection({ connection, lastDisconnect }) {
    if (connection !== 'close') return
    const status = lastDisconnect?.error?.output?.statusCode
    write({ event: 'closed', data: { status } })
    const { restartRequired, connectionClosed, connectionLost } = baileys.DisconnectReason
    if (!isStopping && [restartRequired, connectionClosed, connectionLost].includes(status)) connect()
}

async function call({ method, args }) {
    const result = await socket[method](...args)
    // its event may be held back, but a retry receipt is not
    if (method === 'sendMessage') messages.set(result.key.id, result)
    return result
}

async function download({ message_id: messageId }) {
    return baileys.downloadMediaMessage(messages.get(messageId), 'buffer', {})
}

async function stop() {
    isStopping = true
    await socket?.end(undefined)
    while (writes.size) await Promise.allSettled(writes)
    process.exit(0)
}

function untilWritten(promise) {
    const forget = () => writes.delete(promise)
    writes.add(promise)
    promise.then(forget, forget)
    return promise
}

function write(value) {
    process.stdout.write(JSON.stringify(value, replace) + '\n')
}

// toJSON of Buffer runs before the replacer sees the value, so the original is taken from its holder
function replace(key, value) {
    const original = this[key]
    if (original instanceof Uint8Array) return { base64: Buffer.from(original).toString('base64') }
    if (original instanceof Error) return { error: original.message }
    if (typeof original?.toNumber === 'function') return original.toNumber()
    return value
}

function revive(_key, value) {
    return typeof value?.base64 === 'string' ? Buffer.from(value.base64, 'base64') : value
}
