// What comes out of the page's player, sample by sample: window.heard, at window.heardRate, whatever device there is.
// A page that is busy for a third of a second loses some of it.
window.heard = [];
const connect = AudioNode.prototype.connect;
AudioNode.prototype.connect = function (target, ...rest) {
  if (target instanceof AudioDestinationNode && !(this instanceof ScriptProcessorNode)) {
    const { context } = this;
    const tap = context.createScriptProcessor(16384, 1, 1);
    window.heardRate = context.sampleRate;
    tap.onaudioprocess = ({ inputBuffer }) => { window.heard.push(...inputBuffer.getChannelData(0)); };
    connect.call(this, tap);
    connect.call(tap, target);
    window.tap = tap; // else it is collected
  }
  return connect.call(this, target, ...rest);
};
