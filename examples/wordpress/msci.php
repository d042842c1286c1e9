<?php
/**
 * Plugin Name: MSCI
 * Description: Puts the tracking script of MSCI into the head of every page, and says who is signed in.
 * License:     Apache-2.0
 *
 * In wp-config.php:
 *   define( 'MSCI_INGESTION_KEY', 'local' );
 *   define( 'MSCI_IDENTITY_SECRET', '…' );  // where the settings require a token
 */

if ( ! defined( 'ABSPATH' ) ) {
	exit;
}

/** Who is signed in, by the key of your identity table: here the login name. Nobody else is named. */
function msci_user() {
	if ( ! is_user_logged_in() ) {
		return null;
	}
	$auth_id = wp_get_current_user()->user_login;
	$user    = array( 'authId' => $auth_id );
	if ( defined( 'MSCI_IDENTITY_SECRET' ) ) {
		$user['token'] = msci_token( $auth_id, MSCI_IDENTITY_SECRET );
	}
	return $user;
}

/** An identity token (JWT, HS256) for ten minutes. */
function msci_token( $auth_id, $secret ) {
	$part   = function ( $bytes ) {
		return rtrim( strtr( base64_encode( $bytes ), '+/', '-_' ), '=' );
	};
	$signed = $part( wp_json_encode( array( 'alg' => 'HS256', 'typ' => 'JWT' ) ) ) . '.'
		. $part( wp_json_encode( array( 'sub' => $auth_id, 'exp' => time() + 600, 'jti' => wp_generate_uuid4() ) ) );
	return $signed . '.' . $part( hash_hmac( 'sha256', $signed, $secret, true ) );
}

function msci_head() {
	$key = defined( 'MSCI_INGESTION_KEY' ) ? MSCI_INGESTION_KEY : 'local';
	?>
<script>(function(o,a,r){try{var c=r.name||"MSCI",t=o[c],f;if(t&&!t._q)return;t=t||(f=o[c]={_q:[],_cfg:r.cfg});var s=t._q,i={status:"refused",reason:"not_loaded"},v=()=>{s.on||s.splice(0).map(s.push=n=>n[2](i))};if("initialize setUser trackView trackAction trackEvent setProperty setConfig setConsent reset optOut optIn decisions flush teardown status".split(" ").map(n=>{t[n]=t[n]||((...d)=>new Promise((p,h)=>{s.length<200?s.push([n,d,p,h]):p(i)}))}),f){setTimeout(v,1e4);var e=a.createElement("script");e.onerror=v,e.dataset.name=c,e.nonce=(a.currentScript||e).nonce,e.src=r.src,a.head.appendChild(e)}for(var l in r.props)t.setProperty(l,r.props[l]);r.user&&t.setUser(r.user).catch(()=>{})}catch(n){}})(window,document,{"cfg":{"autoCapture":{"click":true,"view":true},"endpointUrl":"/_msci/","ingestionKey":<?php echo wp_json_encode( $key, JSON_HEX_TAG ); ?>},"name":"MSCI","src":"/_msci/msci.js","user":<?php echo wp_json_encode( msci_user(), JSON_HEX_TAG ); ?>});</script>
	<?php
}
add_action( 'wp_head', 'msci_head', 1 );
