//! What the menu says when something is not as usual, in its eight languages (English, Chinese in
//! both scripts, Japanese, Korean, Portuguese, Spanish, Russian), as the parts that do not change.
//!
//! None of these is needed to reach a place: they only tell one failure from another. A language or
//! wording that is not here ends in a plainer code, never in another host.

/// A search without a hit.
pub(crate) const NO_ASSETS: &[&str] =
    &["No Assets", "没有资产", "沒有資產", "資産なし", "자산 없음", "Sem ativos", "Sin activos", "Нет активов"];

/// The login is forbidden by a rule, or the user has no right to it.
pub(crate) const BLOCKED: &[&str] = &[
    "ACL reject",
    "访问控制策略的限制",
    "訪問控制策略的限制",
    "は拒否されました",
    "액세스 제어 정책",
    "политики контроля доступа",
    "You don't have permission login",
    "你无权限登陆",
    "你無權限登入",
    "ログイン権限がありません",
    "로그인할 권한이 없습니다",
    "Você não tem permissão para fazer login",
    "No tiene permiso para iniciar sesión",
    "У вас нет прав на вход",
    "Face ACL is not supported",
];

/// A reviewer is waited for.
pub(crate) const WAITING: &[&str] = &[
    "Please waiting for the reviewers",
    "Please wait for your admin",
    "等待审核人",
    "等待審核人",
    "レビューアが確認",
    "리뷰어의 확인",
    "Aguarde a confirmação dos revisores",
    "Ждём подтверждения",
];

/// A reviewer said yes.
pub(crate) const APPROVED: &[&str] =
    &[" approved", "审核通过", "審核通過", "が承認されました", "승인됨", " aprovado", " aprobado", " одобрено"];

/// A reviewer said no.
pub(crate) const REJECTED: &[&str] = &[
    " rejected",
    "审核拒绝",
    "審核拒絕",
    "は拒否されました",
    "리뷰가 거부되었습니다",
    " rejeitado",
    " rechazado",
    " отклонено",
];

/// The bastion has ended the session.
pub(crate) const ENDED: &[&str] = &[
    "Connect idle more than",
    "空闲时间超过",
    "空閒時間超過",
    "分以上のアイドル状態",
    "유휴 시간이",
    "Conexão ociosa por mais de",
    "Conexión inactiva por más de",
    "Превышено время простоя",
    "Terminated by admin",
    "管理员终断连接",
    "管理員中斷連接",
    "管理者が接続を終了",
    "관리자 연결이 끊겼습니다",
    "Conexão terminada pelo administrador",
    "Terminado por el administrador",
    "прервал соединение",
];
