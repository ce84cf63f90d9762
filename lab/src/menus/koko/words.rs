//! The words of the menu in two of its languages. Prompts are not among them: they have one form.

use crate::menus::Language;

pub(super) struct Words {
    pub(super) title: &'static str,
    /// `{}` stand for what is typed and what it does.
    pub(super) item: (&'static str, &'static str, &'static str),
    pub(super) columns: [&'static str; 6],
    pub(super) account_columns: [&'static str; 3],
    /// Page, rows of a page, pages, rows of all.
    pub(super) page: [&'static str; 4],
    pub(super) tip: &'static str,
    pub(super) turn: &'static str,
    pub(super) search: &'static str,
    pub(super) nothing: &'static str,
    /// Around the asset.
    pub(super) account_tip: (&'static str, &'static str),
    pub(super) back: &'static str,
    pub(super) too_many_tries: &'static str,
    pub(super) review: &'static str,
    pub(super) waiting: &'static str,
    pub(super) approved: &'static str,
    pub(super) rejected: &'static str,
    pub(super) blocked: &'static str,
    pub(super) idle: (&'static str, &'static str),
    pub(super) connecting: &'static str,
}

pub(super) const ITEMS: [&str; 11] =
    ["part IP, Hostname, Comment", "/ + IP, Hostname, Comment", "p", "g", "h", "d", "k", "r", "s", "?", "q"];

pub(super) fn words(language: Language) -> &'static Words {
    match language {
        Language::English => &ENGLISH,
        Language::Chinese => &CHINESE,
    }
}

static ENGLISH: Words = Words {
    title: "Welcome to the fortress",
    item: ("Enter ", " to ", "go there."),
    columns: ["ID", "NAME", "ADDRESS", "PLATFORM", "ORGANIZATION", "COMMENT"],
    account_columns: ["ID", "NAME", "USERNAME"],
    page: ["Page: ", ", Count: ", ", Total Page: ", ", Total Count: "],
    tip: "Tips: Enter the asset ID and directly login. Secondary search use // + field, such as: //192",
    turn: "Page up: b\tPage down: n",
    search: "Search: ",
    nothing: "No Assets",
    account_tip: ("Tips: Enter asset[", "] account ID"),
    back: "Back: B/b",
    too_many_tries: "Select account exceed max retry times.",
    review: "Need ACL review, continue? (y/n): ",
    waiting: "Please waiting for the reviewers to confirm, enter q to exit. ",
    approved: "Administrator approved",
    rejected: "Administrator rejected",
    blocked: "ACL reject",
    idle: ("Connect idle more than ", " minutes, disconnect"),
    connecting: "Connecting to ",
};

static CHINESE: Words = Words {
    title: "欢迎使用堡垒机系统",
    item: ("输入 ", " 进行", "操作."),
    columns: ["ID", "名称", "地址", "平台", "组织", "备注"],
    account_columns: ["ID", "名称", "用户名"],
    page: ["页码：", "，每页行数：", "，总页数：", "，总数量："],
    tip: "提示：输入资产ID直接登录，二级搜索使用 // + 字段，如：//192",
    turn: "上一页：b 下一页：n",
    search: "搜索：",
    nothing: "没有资产",
    account_tip: ("提示：输入资产[", "]的账号ID"),
    back: "返回：B/b",
    too_many_tries: "选择账号超过最大重试次数",
    review: "需要审核，继续？(y/n): ",
    waiting: "等待审核人复核确认，按 q 回车取消登录。",
    approved: "管理员 审核通过",
    rejected: "管理员 审核拒绝",
    blocked: "本次登录已拒绝，原因是访问控制策略的限制",
    idle: ("空闲时间超过", "分钟，断开连接"),
    connecting: "开始连接到 ",
};
