// SPDX-License-Identifier: Apache-2.0
// The page of the local service: one WebSocket, one call at a time. The token and PINs are kept
// nowhere; text from a card is only ever set as text.
"use strict";

const $ = (id) => document.getElementById(id);

const PARAMETERS = {
  iType: {
    label: ["Interface", "卡操作类型"],
    choices: [["1", "contact 接触"], ["2", "contactless 非接触"], ["3", "auto, contact first 自动"], ["4", "auto, contactless first 自动"]],
  },
  iAuthType: { label: ["Proof", "认证方式"], choices: [["1", "PIN 密码"], ["2", "read key 读密钥"]] },
  pCardInfo: { label: ["Card: id code | number |", "卡识别码|卡号|"], hint: "from iReadCardBas" },
  pFileAddr: { label: ["Files and tags", "文件与数据项"], hint: "DF01EF05|20|21|$" },
  pWriteData: { label: ["Values, in the same shape", "写入数据"], hint: "DF01EF05|1|…|$" },
  pPayInfo: { label: ["Amounts in yuan and time", "交易信息"], hint: "12.30|0.00|20260105120000|" },
  pKey: { label: ["What the HSM answered", "加密机返回"], hint: "" },
};

const FUNCTIONS = [
  ["iReadCardBas", "basic data 读基本信息", ["iType"]],
  ["iReadCard", "files 读卡", ["iType", "iAuthType", "pCardInfo", "pFileAddr"]],
  ["iWriteCard", "files 写卡", ["iType", "pCardInfo", "pFileAddr", "pWriteData"]],
  ["iVerifyPIN", "PIN 校验密码", ["iType"]],
  ["iChangePIN", "PIN 修改密码", ["iType"]],
  ["iReloadPIN", "PIN 重置密码", ["iType", "pCardInfo"]],
  ["iUnblockPIN", "PIN 解锁密码", ["iType", "pCardInfo"]],
  ["iDoDebit", "medical account 消费", ["iType", "pCardInfo", "pPayInfo"]],
  ["iReadDebitRecord", "medical account 读消费明细", ["iType"]],
  ["iReadCardBas_HSM_Step1", "HSM 加密机", ["iType"]],
  ["iReadCardBas_HSM_Step2", "HSM 加密机", ["pKey"]],
  ["iReadCard_HSM_Step1", "HSM 加密机", ["iType", "pCardInfo", "pFileAddr"]],
  ["iReadCard_HSM_Step2", "HSM 加密机", ["pKey"]],
  ["iWriteCard_HSM_Step1", "HSM 加密机", ["iType", "pCardInfo", "pFileAddr"]],
  ["iWriteCard_HSM_Step2", "HSM 加密机", ["pKey", "pWriteData"]],
  ["iReloadPIN_HSM_Step1", "HSM 加密机", ["iType", "pCardInfo"]],
  ["iReloadPIN_HSM_Step2", "HSM 加密机", ["pKey"]],
  ["iReloadPIN_HSM_Step3", "HSM 加密机", ["pKey"]],
  ["iUnblockPIN_HSM_Step1", "HSM 加密机", ["iType", "pCardInfo"]],
  ["iUnblockPIN_HSM_Step2", "HSM 加密机", ["pKey"]],
  ["iUnblockPIN_HSM_Step3", "HSM 加密机", ["pKey"]],
  ["iDoDebit_HSM_Step1", "HSM 加密机", ["iType", "pCardInfo", "pPayInfo"]],
  ["iDoDebit_HSM_Step2", "HSM 加密机", ["pKey"]],
];

// The fields of an answer, for the functions whose answer has the same ones each time.
const FIELDS = {
  iReadCardBas: [
    ["Region", "发卡地区"], ["Social security number", "社会保障号码"], ["Card number", "卡号"],
    ["Card id code", "卡识别码"], ["Name", "姓名"], ["Historical bytes", "卡复位信息"],
    ["Version", "规范版本"], ["Issued", "发卡日期"], ["Expires", "卡有效期"],
    ["Terminal", "终端机编号"], ["Device", "终端设备号"],
  ],
  iDoDebit: [
    ["Card's sequence", "卡交易序号"], ["Terminal's sequence", "终端交易序号"], ["TAC", "交易验证码"],
    ["Time", "交易时间"], ["Terminal", "终端机编号"], ["MAC2 judged", "MAC2已验证"],
  ],
  iReadDebitRecord: [
    ["Sequence", "交易序号"], ["Type", "交易类型"], ["Terminal", "终端机编号"], ["Time", "交易时间"],
    ["Account (fen)", "个人账户(分)"], ["Own money (fen)", "个人自付(分)"],
    ["Pool (fen)", "统筹基金(分)"],
  ],
};

let socket = null;
let calls = 0;
let pending = null; // the call that waits for its answer
const kept = {}; // parameters by name, while the page is open

function element(name, text, of) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (of) of.append(made);
  return made;
}

function bilingual(name, [english, chinese], of) {
  const made = element(name, english + " ", of);
  element("span", chinese, made).lang = "zh";
  return made;
}

function state(kind, english, chinese) {
  const at = $("state");
  at.dataset.state = kind;
  at.replaceChildren(english + " ");
  element("span", chinese, at).lang = "zh";
}

// Connecting

function connect(token) {
  const opening = new WebSocket("ws://" + location.host + "/ws", "sscard.v1");
  let ready = false;
  state("busy", "connecting", "正在连接");
  opening.onopen = () => opening.send(JSON.stringify({ token }));
  opening.onmessage = (event) => {
    const message = JSON.parse(event.data);
    if (message.ready) {
      ready = true;
      socket = opening;
      state("on", "connected", "已连接");
      $("connect").hidden = true;
      $("call").hidden = false;
      $("token").value = "";
      $("function").focus();
    } else if (message.ask) ask(message);
    else answered(message);
  };
  opening.onclose = (event) => {
    socket = null;
    pending = null;
    closeQuestion();
    $("call").hidden = true;
    $("connect").hidden = false;
    $("send").disabled = false;
    if (ready) state("bad", event.reason || "the service is gone", "连接已断开");
    else state("bad", event.reason || "no connection", "无法连接");
  };
}

// Calling

function isBasic(called) {
  return fieldsOf(called) === FIELDS.iReadCardBas;
}

// Of a function in two steps the last answers as the plain function does.
function fieldsOf(called) {
  return FIELDS[called.function.replace("_HSM_Step2", "")] || [];
}

function showParameters() {
  const wanted = FUNCTIONS[$("function").selectedIndex][2];
  const rows = wanted.map((name) => {
    const { label, hint, choices } = PARAMETERS[name];
    const row = document.createElement("div");
    bilingual("label", [name + " · " + label[0], label[1]], row).htmlFor = name;
    const field = element(choices ? "select" : "input", undefined, row);
    field.id = field.name = name;
    if (choices) for (const [value, text] of choices) element("option", value + " " + text, field).value = value;
    else {
      field.autocomplete = "off";
      field.spellcheck = false;
      field.placeholder = hint;
    }
    // Never that of the HSM: the line of a PIN's reload holds the new PIN.
    if (name in kept && name !== "pKey") field.value = kept[name];
    field.oninput = () => { kept[name] = field.value; };
    return row;
  });
  $("parameters").replaceChildren(...rows);
}

function call() {
  const [name, , wanted] = FUNCTIONS[$("function").selectedIndex];
  const message = { id: ++calls, function: name };
  for (const each of wanted) {
    const value = $(each).value;
    message[each] = PARAMETERS[each].choices ? Number(value) : value;
  }
  pending = message;
  $("send").disabled = true;
  $("result").hidden = true;
  state("busy", "working", "正在操作");
  socket.send(JSON.stringify(message));
}

function answered(message) {
  if (!pending || message.id !== pending.id) return;
  const called = pending;
  pending = null;
  closeQuestion();
  $("send").disabled = false;
  state("on", "connected", "已连接");
  if (isBasic(called) && message.code === 0) {
    const fields = message.pOutInfo.split("|");
    kept.pCardInfo = fields[3] + "|" + fields[2] + "|"; // the same card, for the next function
  }
  show(called, message);
}

// The PIN

function ask(message) {
  $("prompt").textContent = message.prompt;
  $("pin").hidden = false;
  $("digits").value = "";
  $("digits").focus();
}

function reply(message) {
  const id = pending.id;
  closeQuestion();
  socket.send(JSON.stringify({ id, ...message }));
}

function closeQuestion() {
  $("digits").value = "";
  $("pin").hidden = true;
}

// The answer

function show(called, { code, pOutInfo }) {
  $("called").textContent = called.function;
  $("code").textContent = code;
  $("code").toggleAttribute("data-bad", code !== 0);
  $("sentence").hidden = code === 0 && pOutInfo !== "";
  $("sentence").textContent = code === 0 ? "done 成功" : pOutInfo;
  $("raw").textContent = pOutInfo;
  $("raw").parentElement.hidden = code !== 0 || pOutInfo === "";
  $("tables").replaceChildren(...(code === 0 ? tables(called, pOutInfo) : []));
  $("result").hidden = false;
}

// Records end in $, fields end in |, parts of a field are joined by ^.
function tables(called, text) {
  const asked = (called.pFileAddr || "").split("$").map((each) => each.split("|"));
  return text.split("$").filter((record) => record !== "").map((record, at) => {
    const fields = record.split("|");
    if (fields.at(-1) === "") fields.pop();
    const table = document.createElement("table");
    const tags = asked[at] && asked[at][0] === fields[0] ? asked[at] : null;
    if (tags) element("caption", fields[0], table);
    else if (text.includes("$")) element("caption", String(at + 1), table);
    const body = element("tbody", undefined, table);
    fields.forEach((value, index) => {
      if (tags && index === 0) return;
      const row = element("tr", undefined, body);
      const name = fieldsOf(called)[index];
      if (name) bilingual("th", name, row);
      else element("th", tags ? tags[index] : String(index + 1), row);
      row.firstChild.scope = "row";
      const cell = element("td", value === "" ? "–" : value.replaceAll("^", "\n"), row);
      cell.classList.toggle("empty", value === "");
    });
    return table;
  });
}

// Beginning

for (const [name, about] of FUNCTIONS) element("option", name + " · " + about, $("function")).value = name;
showParameters();
$("function").onchange = showParameters;
$("connect").onsubmit = (event) => { event.preventDefault(); connect($("token").value.trim()); };
$("call").onsubmit = (event) => { event.preventDefault(); if (socket && !pending) call(); };
$("pin").onsubmit = (event) => { event.preventDefault(); reply({ pin: $("digits").value }); };
$("cancel").onclick = () => reply({ cancel: true });

// The part of an address behind # is never sent to a server; it goes out of sight at once.
if (location.hash.length > 1) {
  const token = location.hash.slice(1);
  history.replaceState(null, "", "/");
  connect(token);
}
